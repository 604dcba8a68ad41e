insert into workspaces (id, name, created_at) values (?, ?, ?)
