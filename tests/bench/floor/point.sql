insert into records (log_id, table_name, pk, server_version) values (?, ?, ?, ?) on conflict do update set server_version = excluded.server_version
