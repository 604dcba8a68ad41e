CREATE TABLE `deferred_devices` (
	`workspace_id` text NOT NULL,
	`user_id` text NOT NULL,
	`device_id` text NOT NULL,
	`horizon` integer NOT NULL,
	`deferred_at` integer NOT NULL,
	`released` integer NOT NULL,
	PRIMARY KEY(`workspace_id`, `user_id`, `device_id`)
);
