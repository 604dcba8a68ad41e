select head from heads where workspace_id = ?
