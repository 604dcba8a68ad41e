select server_version, table_name, pk, op, clock, hlc, device_id, op_id, payload from changes where log_id = ? and server_version > ? order by server_version limit ?
