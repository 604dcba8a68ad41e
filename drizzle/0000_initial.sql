CREATE TABLE `auth_accounts` (
	`provider` text NOT NULL,
	`provider_user_id` text NOT NULL,
	`user_id` text NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`provider`, `provider_user_id`),
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `invites` (
	`workspace_id` text NOT NULL,
	`id` text NOT NULL,
	`email` text NOT NULL,
	`role` text NOT NULL,
	`status` text NOT NULL,
	`invited_by_user_id` text NOT NULL,
	`token_hash` text NOT NULL,
	`expires_at` integer NOT NULL,
	`accepted_at` integer,
	`accepted_user_id` text,
	`revoked_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`workspace_id`, `id`),
	FOREIGN KEY (`workspace_id`) REFERENCES `workspaces`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `invites_token` ON `invites` (`workspace_id`,`token_hash`);--> statement-breakpoint
CREATE TABLE `users` (
	`id` text PRIMARY KEY NOT NULL,
	`email` text,
	`display_name` text,
	`active_workspace_id` text,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`active_workspace_id`) REFERENCES `workspaces`(`id`) ON UPDATE no action ON DELETE set null
);
--> statement-breakpoint
CREATE INDEX `users_active_workspace` ON `users` (`active_workspace_id`);--> statement-breakpoint
CREATE TABLE `workspace_members` (
	`workspace_id` text NOT NULL,
	`user_id` text NOT NULL,
	`role` text NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`workspace_id`, `user_id`),
	FOREIGN KEY (`workspace_id`) REFERENCES `workspaces`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "workspace_members_role" CHECK("workspace_members"."role" in ('owner', 'editor', 'viewer'))
);
--> statement-breakpoint
CREATE INDEX `workspace_members_user` ON `workspace_members` (`user_id`,`created_at`);--> statement-breakpoint
CREATE TABLE `workspaces` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`description` text,
	`created_at` integer NOT NULL,
	`deleted_at` integer
);
--> statement-breakpoint
CREATE TABLE `changes` (
	`workspace_id` text NOT NULL,
	`server_version` integer NOT NULL,
	`table_name` text NOT NULL,
	`pk` text NOT NULL,
	`op` text NOT NULL,
	`clock` integer NOT NULL,
	`hlc` text NOT NULL,
	`device_id` text NOT NULL,
	`op_id` text NOT NULL,
	`owner_user_id` text,
	`obsoletes` integer,
	`created_at` integer NOT NULL,
	`payload` text,
	PRIMARY KEY(`workspace_id`, `server_version`)
);
--> statement-breakpoint
CREATE UNIQUE INDEX `changes_op` ON `changes` (`workspace_id`,`op_id`);--> statement-breakpoint
CREATE INDEX `changes_table` ON `changes` (`workspace_id`,`table_name`,`server_version`);--> statement-breakpoint
CREATE TABLE `device_cursors` (
	`workspace_id` text NOT NULL,
	`device_id` text NOT NULL,
	`user_id` text NOT NULL,
	`cursor` integer NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`workspace_id`, `device_id`)
);
--> statement-breakpoint
CREATE TABLE `heads` (
	`workspace_id` text PRIMARY KEY NOT NULL,
	`head` integer NOT NULL,
	`horizon` integer DEFAULT 0 NOT NULL,
	`cleaned_version` integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE `layer_state` (
	`name` text PRIMARY KEY NOT NULL,
	`value` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `records` (
	`workspace_id` text NOT NULL,
	`table_name` text NOT NULL,
	`pk` text NOT NULL,
	`server_version` integer NOT NULL,
	`tombstone_version` integer,
	`tombstone_at` integer,
	PRIMARY KEY(`workspace_id`, `table_name`, `pk`)
);
--> statement-breakpoint
CREATE INDEX `records_tombstone` ON `records` (`workspace_id`,`tombstone_at`,`tombstone_version`) WHERE tombstone_at is not null;--> statement-breakpoint
CREATE VIEW `current_rows` AS select "records"."workspace_id", "records"."table_name", "records"."pk", "records"."server_version", "changes"."op", "changes"."clock", "changes"."hlc", "changes"."op_id", "changes"."device_id", "changes"."payload" from "records" inner join "changes" on ("changes"."workspace_id" = "records"."workspace_id" and "changes"."server_version" = "records"."server_version");