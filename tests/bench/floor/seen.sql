select server_version from changes where workspace_id = ? and op_id = ?
