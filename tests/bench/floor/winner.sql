select c.server_version, c.clock, c.hlc, c.op_id from records r join changes c on c.log_id = r.log_id and c.server_version = r.server_version where r.log_id = ? and r.table_name = ? and r.pk = ?
