/**
 * Webhooks of a host: registrations, their deliveries, and which custom hooks a registration waits for. Moments are
 * epoch milliseconds, as the host's contract has them. No foreign key leads to users or workspaces: a host may keep
 * them elsewhere.
 */
import { sql } from 'drizzle-orm'
import { check, index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { wellFormedText } from './well-formed-text.ts'

export const webhooks = sqliteTable('webhooks', {
  id: wellFormedText('id').primaryKey(),
  scope: text('scope', { enum: ['user', 'admin'] }).notNull(),
  userId: wellFormedText('user_id'),
  workspaceId: wellFormedText('workspace_id'),
  url: wellFormedText('url').notNull(),
  label: wellFormedText('label').notNull(),
  /** JSON, as `customHooks`: the list as the host gave it. */
  events: text('events', { mode: 'json' }).$type<string[]>().notNull(),
  customHooks: text('custom_hooks', { mode: 'json' }).$type<string[]>().notNull(),
  /** Encrypted by the host. */
  signingSecret: wellFormedText('signing_secret').notNull(),
  enabled: integer('enabled', { mode: 'boolean' }).notNull(),
  health: text('health', { enum: ['healthy', 'failing', 'unknown'] }).notNull(),
  createdAtMs: integer('created_at_ms').notNull(),
  updatedAtMs: integer('updated_at_ms').notNull(),
}, table => [
  // The workspace first: an event asks for all webhooks of a workspace, a page for those of one user in it.
  index('webhooks_workspace').on(table.scope, table.workspaceId, table.userId),
  check('webhooks_scope', sql`${table.scope} in ('user', 'admin')`),
])

/** Look-up of `webhooks.custom_hooks`, written with it. */
export const webhookCustomHooks = sqliteTable('webhook_custom_hooks', {
  webhookId: wellFormedText('webhook_id').notNull().references(() => webhooks.id, { onDelete: 'cascade' }),
  hookName: wellFormedText('hook_name').notNull(),
}, table => [
  primaryKey({ columns: [table.webhookId, table.hookName] }),
  index('webhook_custom_hooks_name').on(table.hookName),
])

export const webhookDeliveries = sqliteTable('webhook_deliveries', {
  id: wellFormedText('id').primaryKey(),
  webhookId: wellFormedText('webhook_id').notNull().references(() => webhooks.id, { onDelete: 'cascade' }),
  eventId: wellFormedText('event_id').notNull(),
  eventType: wellFormedText('event_type').notNull(),
  attempt: integer('attempt').notNull(),
  status: text('status', { enum: ['pending', 'in_flight', 'success', 'failed', 'cancelled'] }).notNull(),
  claimedBy: wellFormedText('claimed_by'),
  claimedAtMs: integer('claimed_at_ms'),
  httpStatus: integer('http_status'),
  errorMessage: wellFormedText('error_message'),
  durationMs: integer('duration_ms'),
  nextRetryAtMs: integer('next_retry_at_ms'),
  createdAtMs: integer('created_at_ms').notNull(),
  /** The order of claims; not stored, but in the index. */
  dueAtMs: integer('due_at_ms').generatedAlwaysAs(sql`coalesce(next_retry_at_ms, created_at_ms)`, { mode: 'virtual' }),
  responseBody: wellFormedText('response_body'),
  /** JSON text. Last, so that reading a state need not walk an overflow chain. */
  requestPayload: wellFormedText('request_payload').notNull(),
}, table => [
  index('webhook_deliveries_webhook').on(table.webhookId, table.createdAtMs),
  // Finished deliveries, which are nearly all, are not in the two indexes of work.
  index('webhook_deliveries_pending').on(table.dueAtMs, table.createdAtMs).where(sql`status = 'pending'`),
  index('webhook_deliveries_in_flight').on(table.claimedAtMs).where(sql`status = 'in_flight'`),
  index('webhook_deliveries_created').on(table.createdAtMs),
  check(
    'webhook_deliveries_status', sql`${table.status} in ('pending', 'in_flight', 'success', 'failed', 'cancelled')`,
  ),
])
