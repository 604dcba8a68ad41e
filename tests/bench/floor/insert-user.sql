insert into users (id, created_at) values (?, ?)
