CREATE TABLE `admin_users` (
	`user_id` text PRIMARY KEY NOT NULL,
	`created_by_user_id` text,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `background_jobs` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`status` text NOT NULL,
	`idempotency_key` text,
	`claimable` integer NOT NULL,
	`parked` integer NOT NULL,
	`lease_owner` text,
	`lease_expires_at_ms` integer,
	`attempts` integer NOT NULL,
	`started_at_ms` integer NOT NULL,
	`active_at_ms` integer NOT NULL,
	`completed_at_ms` integer,
	`chunks_received` integer NOT NULL,
	`error` text,
	`details` text NOT NULL,
	`progress` text NOT NULL,
	`execution` text,
	`reasoning` text NOT NULL,
	`content` text NOT NULL,
	CONSTRAINT "background_jobs_status" CHECK("background_jobs"."status" in ('streaming', 'complete', 'error', 'aborted'))
);
--> statement-breakpoint
CREATE UNIQUE INDEX `background_jobs_admission` ON `background_jobs` (`user_id`,`idempotency_key`);--> statement-breakpoint
CREATE INDEX `background_jobs_running` ON `background_jobs` (`started_at_ms`) WHERE status = 'streaming';--> statement-breakpoint
CREATE INDEX `background_jobs_finished` ON `background_jobs` (`completed_at_ms`) WHERE status <> 'streaming';--> statement-breakpoint
CREATE TABLE `cancelled_admissions` (
	`user_id` text NOT NULL,
	`idempotency_key` text NOT NULL,
	`expires_at_ms` integer NOT NULL,
	PRIMARY KEY(`user_id`, `idempotency_key`)
);
--> statement-breakpoint
CREATE TABLE `file_reference_progress` (
	`workspace_id` text PRIMARY KEY NOT NULL,
	`read_version` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `file_references` (
	`workspace_id` text NOT NULL,
	`digest` text NOT NULL,
	`table_name` text NOT NULL,
	`pk` text NOT NULL,
	`hash` text NOT NULL,
	`server_version` integer NOT NULL,
	PRIMARY KEY(`workspace_id`, `digest`, `table_name`, `pk`)
);
--> statement-breakpoint
CREATE INDEX `file_references_row` ON `file_references` (`workspace_id`,`table_name`,`pk`);--> statement-breakpoint
CREATE TABLE `rate_limits` (
	`key` text PRIMARY KEY NOT NULL,
	`moments_ms` text NOT NULL,
	`expires_at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `rate_limits_expiry` ON `rate_limits` (`expires_at_ms`);--> statement-breakpoint
CREATE TABLE `upload_intents` (
	`workspace_id` text NOT NULL,
	`id` text NOT NULL,
	`hash` text NOT NULL,
	`mime_type` text NOT NULL,
	`size_bytes` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`storage_id` text,
	`consumed_at` integer,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`workspace_id`, `id`)
);
--> statement-breakpoint
CREATE TABLE `workspace_settings` (
	`workspace_id` text NOT NULL,
	`key` text NOT NULL,
	`value` text NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`workspace_id`, `key`)
);
--> statement-breakpoint
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
	`log_id` integer NOT NULL,
	`server_version` integer NOT NULL,
	`table_name` text NOT NULL,
	`pk` text NOT NULL,
	`op` text NOT NULL,
	`clock` integer NOT NULL,
	`hlc` text NOT NULL,
	`device_id` text NOT NULL,
	`op_id` text NOT NULL,
	`op_key` blob GENERATED ALWAYS AS (unhex(op_id, '-')) VIRTUAL,
	`owner_user_id` text,
	`obsoletes` integer,
	`created_at` integer NOT NULL,
	`payload` text,
	PRIMARY KEY(`log_id`, `server_version`)
);
--> statement-breakpoint
CREATE UNIQUE INDEX `changes_op` ON `changes` (`log_id`,`op_key`);--> statement-breakpoint
CREATE INDEX `changes_table` ON `changes` (`log_id`,`table_name`,`server_version`);--> statement-breakpoint
CREATE TABLE `device_cursors` (
	`workspace_id` text NOT NULL,
	`device_id` text NOT NULL,
	`user_id` text NOT NULL,
	`cursor` integer NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`workspace_id`, `device_id`)
);
--> statement-breakpoint
CREATE TABLE `layer_state` (
	`name` text PRIMARY KEY NOT NULL,
	`value` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `logs` (
	`id` integer PRIMARY KEY NOT NULL,
	`workspace_id` text NOT NULL,
	`head` integer NOT NULL,
	`horizon` integer DEFAULT 0 NOT NULL,
	`cleaned_version` integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `logs_workspace` ON `logs` (`workspace_id`);--> statement-breakpoint
CREATE TABLE `records` (
	`log_id` integer NOT NULL,
	`table_name` text NOT NULL,
	`pk` text NOT NULL,
	`server_version` integer NOT NULL,
	`tombstone_version` integer,
	`tombstone_at` integer,
	PRIMARY KEY(`log_id`, `table_name`, `pk`)
);
--> statement-breakpoint
CREATE INDEX `records_tombstone` ON `records` (`log_id`,`tombstone_at`,`tombstone_version`) WHERE tombstone_at is not null;--> statement-breakpoint
CREATE VIEW `current_rows` AS select "logs"."workspace_id", "records"."table_name", "records"."pk", "records"."server_version", "changes"."op", "changes"."clock", "changes"."hlc", "changes"."op_id", "changes"."device_id", "changes"."payload" from "records" inner join "logs" on "logs"."id" = "records"."log_id" inner join "changes" on ("changes"."log_id" = "records"."log_id" and "changes"."server_version" = "records"."server_version");