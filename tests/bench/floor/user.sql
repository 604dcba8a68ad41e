select a.user_id, u.email, u.display_name from auth_accounts a join users u on u.id = a.user_id where a.provider = ? and a.provider_user_id = ?
