update users set email = ?, display_name = ? where id = ?
