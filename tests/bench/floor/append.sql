insert into changes (log_id, server_version, table_name, pk, op, clock, hlc, device_id, op_id, owner_user_id, obsoletes, created_at, payload) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
