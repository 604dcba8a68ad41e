update logs set head = ? where id = ?
