insert into heads (workspace_id, head) values (?, ?) on conflict do update set head = excluded.head
