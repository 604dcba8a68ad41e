UPDATE `logs` SET
	`used_rows` = (SELECT count(*) FROM `changes` WHERE `changes`.`log_id` = `logs`.`id`),
	`used_bytes` = (
		SELECT coalesce(sum(200 + coalesce(octet_length(payload), 0) + octet_length(pk) + octet_length(hlc) + octet_length(device_id)), 0)
		FROM `changes` WHERE `changes`.`log_id` = `logs`.`id`
	);
