PRAGMA foreign_keys=OFF;--> statement-breakpoint
CREATE TABLE `__new_device_cursors` (
	`workspace_id` text NOT NULL,
	`device_id` text NOT NULL,
	`user_id` text NOT NULL,
	`cursor` integer NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`workspace_id`, `user_id`, `device_id`)
);
--> statement-breakpoint
INSERT INTO `__new_device_cursors`("workspace_id", "device_id", "user_id", "cursor", "updated_at") SELECT "workspace_id", "device_id", "user_id", "cursor", "updated_at" FROM `device_cursors`;--> statement-breakpoint
DROP TABLE `device_cursors`;--> statement-breakpoint
ALTER TABLE `__new_device_cursors` RENAME TO `device_cursors`;--> statement-breakpoint
PRAGMA foreign_keys=ON;--> statement-breakpoint
CREATE INDEX `device_cursors_slowest` ON `device_cursors` (`workspace_id`,`cursor`,`updated_at`);--> statement-breakpoint
ALTER TABLE `logs` ADD `used_bytes` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `logs` ADD `used_rows` integer DEFAULT 0 NOT NULL;