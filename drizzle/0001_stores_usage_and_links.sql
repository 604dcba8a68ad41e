CREATE TABLE `connect_authorizations` (
	`id` text PRIMARY KEY NOT NULL,
	`device_code_hash` text NOT NULL,
	`user_code_hash` text NOT NULL,
	`status` text NOT NULL,
	`host` text NOT NULL,
	`approved_user_id` text,
	`approved_workspace_id` text,
	`environment_id` text,
	`credential_ciphertext` text,
	`delivery_started_at_ms` integer,
	`redeliver_until_ms` integer,
	`expires_at_ms` integer NOT NULL,
	`created_at_ms` integer NOT NULL,
	`updated_at_ms` integer NOT NULL,
	CONSTRAINT "connect_authorizations_status" CHECK("connect_authorizations"."status" in ('pending', 'provisioning', 'approved', 'delivering', 'denied', 'consumed', 'expired')),
	CONSTRAINT "connect_authorizations_ciphertext" CHECK("connect_authorizations"."credential_ciphertext" is null or "connect_authorizations"."status" in ('approved', 'delivering'))
);
--> statement-breakpoint
CREATE UNIQUE INDEX `connect_authorizations_device_code` ON `connect_authorizations` (`device_code_hash`);--> statement-breakpoint
CREATE INDEX `connect_authorizations_user_code` ON `connect_authorizations` (`user_code_hash`,`created_at_ms`);--> statement-breakpoint
CREATE INDEX `connect_authorizations_environment` ON `connect_authorizations` (`environment_id`);--> statement-breakpoint
CREATE INDEX `connect_authorizations_over` ON `connect_authorizations` (`updated_at_ms`,`id`) WHERE status in ('denied', 'consumed', 'expired');--> statement-breakpoint
CREATE TABLE `connect_environments` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`workspace_id` text NOT NULL,
	`name` text NOT NULL,
	`platform` text NOT NULL,
	`architecture` text NOT NULL,
	`driver` text,
	`runtime` text,
	`base_path` text,
	`host_id` text,
	`signing_public_key` text,
	`noise_public_key` text,
	`authorization_id` text,
	`hostname` text NOT NULL,
	`tunnel_id` text NOT NULL,
	`dns_record_id` text NOT NULL,
	`relay_authenticator` text,
	`control_token_hash` text NOT NULL,
	`access_credential_ciphertext` text NOT NULL,
	`tunnel_secret_ciphertext` text,
	`status` text NOT NULL,
	`attempts` integer NOT NULL,
	`next_attempt_at_ms` integer NOT NULL,
	`claim_token` text,
	`claimed_until_ms` integer,
	`provisioning_deadline_ms` integer,
	`activation_deadline_ms` integer,
	`activation_claimed_at_ms` integer,
	`lifecycle_error` text,
	`last_seen_at_ms` integer,
	`created_at_ms` integer NOT NULL,
	`updated_at_ms` integer NOT NULL,
	`revoked_at_ms` integer,
	CONSTRAINT "connect_environments_status" CHECK("connect_environments"."status" in ('provisioning', 'active', 'revoking', 'revoked', 'error'))
);
--> statement-breakpoint
CREATE UNIQUE INDEX `connect_environments_control_token` ON `connect_environments` (`control_token_hash`);--> statement-breakpoint
CREATE INDEX `connect_environments_scope` ON `connect_environments` (`user_id`,`workspace_id`,`status`,`updated_at_ms`);--> statement-breakpoint
CREATE INDEX `connect_environments_work` ON `connect_environments` (`next_attempt_at_ms`,`created_at_ms`,`id`) WHERE status in ('provisioning', 'revoking');--> statement-breakpoint
CREATE INDEX `connect_environments_activation` ON `connect_environments` (`activation_deadline_ms`,`id`) WHERE status = 'active' and activation_claimed_at_ms is null;--> statement-breakpoint
CREATE INDEX `connect_environments_revoked` ON `connect_environments` (`updated_at_ms`,`id`) WHERE status = 'revoked';--> statement-breakpoint
CREATE TABLE `invite_links` (
	`workspace_id` text NOT NULL,
	`id` text NOT NULL,
	`role` text NOT NULL,
	`token_hash` text NOT NULL,
	`created_by_user_id` text NOT NULL,
	`max_uses` integer NOT NULL,
	`uses` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`revoked_at` integer,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`workspace_id`, `id`),
	FOREIGN KEY (`workspace_id`) REFERENCES `workspaces`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `invite_links_token` ON `invite_links` (`workspace_id`,`token_hash`);--> statement-breakpoint
CREATE TABLE `deferred_devices` (
	`workspace_id` text NOT NULL,
	`user_id` text NOT NULL,
	`device_id` text NOT NULL,
	`horizon` integer NOT NULL,
	`deferred_at` integer NOT NULL,
	`released` integer NOT NULL,
	PRIMARY KEY(`workspace_id`, `user_id`, `device_id`)
);
--> statement-breakpoint
CREATE TABLE `webhook_custom_hooks` (
	`webhook_id` text NOT NULL,
	`hook_name` text NOT NULL,
	PRIMARY KEY(`webhook_id`, `hook_name`),
	FOREIGN KEY (`webhook_id`) REFERENCES `webhooks`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `webhook_custom_hooks_name` ON `webhook_custom_hooks` (`hook_name`);--> statement-breakpoint
CREATE TABLE `webhook_deliveries` (
	`id` text PRIMARY KEY NOT NULL,
	`webhook_id` text NOT NULL,
	`event_id` text NOT NULL,
	`event_type` text NOT NULL,
	`attempt` integer NOT NULL,
	`status` text NOT NULL,
	`claimed_by` text,
	`claimed_at_ms` integer,
	`http_status` integer,
	`error_message` text,
	`duration_ms` integer,
	`next_retry_at_ms` integer,
	`created_at_ms` integer NOT NULL,
	`due_at_ms` integer GENERATED ALWAYS AS (coalesce(next_retry_at_ms, created_at_ms)) VIRTUAL,
	`response_body` text,
	`request_payload` text NOT NULL,
	FOREIGN KEY (`webhook_id`) REFERENCES `webhooks`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "webhook_deliveries_status" CHECK("webhook_deliveries"."status" in ('pending', 'in_flight', 'success', 'failed', 'cancelled'))
);
--> statement-breakpoint
CREATE INDEX `webhook_deliveries_webhook` ON `webhook_deliveries` (`webhook_id`,`created_at_ms`);--> statement-breakpoint
CREATE INDEX `webhook_deliveries_pending` ON `webhook_deliveries` (`due_at_ms`,`created_at_ms`) WHERE status = 'pending';--> statement-breakpoint
CREATE INDEX `webhook_deliveries_in_flight` ON `webhook_deliveries` (`claimed_at_ms`) WHERE status = 'in_flight';--> statement-breakpoint
CREATE INDEX `webhook_deliveries_created` ON `webhook_deliveries` (`created_at_ms`);--> statement-breakpoint
CREATE TABLE `webhooks` (
	`id` text PRIMARY KEY NOT NULL,
	`scope` text NOT NULL,
	`user_id` text,
	`workspace_id` text,
	`url` text NOT NULL,
	`label` text NOT NULL,
	`events` text NOT NULL,
	`custom_hooks` text NOT NULL,
	`signing_secret` text NOT NULL,
	`enabled` integer NOT NULL,
	`health` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	`updated_at_ms` integer NOT NULL,
	CONSTRAINT "webhooks_scope" CHECK("webhooks"."scope" in ('user', 'admin'))
);
--> statement-breakpoint
CREATE INDEX `webhooks_workspace` ON `webhooks` (`scope`,`workspace_id`,`user_id`);--> statement-breakpoint
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
ALTER TABLE `background_jobs` ADD `history_phase` text;--> statement-breakpoint
CREATE INDEX `background_jobs_history` ON `background_jobs` (`started_at_ms`) WHERE history_phase in ('admission_pending', 'finalization_pending');--> statement-breakpoint
ALTER TABLE `logs` ADD `used_bytes` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `logs` ADD `used_rows` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
UPDATE `logs` SET
	`used_rows` = (SELECT count(*) FROM `changes` WHERE `changes`.`log_id` = `logs`.`id`),
	`used_bytes` = (
		SELECT coalesce(sum(200 + coalesce(octet_length(payload), 0) + octet_length(pk) + octet_length(hlc) + octet_length(device_id)), 0)
		FROM `changes` WHERE `changes`.`log_id` = `logs`.`id`
	);
