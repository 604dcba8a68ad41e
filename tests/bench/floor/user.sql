select user_id from auth_accounts where provider = ? and provider_user_id = ?
