select w.id, w.name from users u join workspaces w on w.id = u.active_workspace_id and w.deleted_at is null join workspace_members m on m.workspace_id = w.id and m.user_id = u.id where u.id = ?
