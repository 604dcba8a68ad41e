update users set active_workspace_id = ? where id = ?
