select server_version from changes where log_id = ? and op_key = unhex(?, '-')
