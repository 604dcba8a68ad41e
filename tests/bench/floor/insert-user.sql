insert into users (id, email, display_name, created_at) values (?, ?, ?, ?)
