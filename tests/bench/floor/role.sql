select m.role from workspace_members m join workspaces w on w.id = m.workspace_id and w.deleted_at is null where m.workspace_id = ? and m.user_id = ?
