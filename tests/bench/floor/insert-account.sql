insert into auth_accounts (provider, provider_user_id, user_id, created_at) values (?, ?, ?, ?)
