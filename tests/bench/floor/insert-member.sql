insert into workspace_members (workspace_id, user_id, role, created_at) values (?, ?, ?, ?)
