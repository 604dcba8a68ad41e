select id, head from logs where workspace_id = ?
