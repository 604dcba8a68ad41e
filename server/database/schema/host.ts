/**
 * What a host application keeps beside sync: who administers the deployment, settings of a workspace, reserved uploads
 * and which files are still referred to, rate limits, background jobs. No foreign key leads to `workspaces` where a
 * host may use names of its own. Moments end in `_at` (epoch seconds) or `_at_ms`, whatever the host counts in.
 */
import { sql } from 'drizzle-orm'
import { check, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { users } from './identity.ts'

export const adminUsers = sqliteTable('admin_users', {
  userId: text('user_id').primaryKey().references(() => users.id, { onDelete: 'cascade' }),
  createdByUserId: text('created_by_user_id'),
  createdAt: integer('created_at').notNull(),
})

export const workspaceSettings = sqliteTable('workspace_settings', {
  workspaceId: text('workspace_id').notNull(),
  key: text('key').notNull(),
  value: text('value').notNull(),
  updatedAt: integer('updated_at').notNull(),
}, table => [
  primaryKey({ columns: [table.workspaceId, table.key] }),
])

export const uploadIntents = sqliteTable('upload_intents', {
  workspaceId: text('workspace_id').notNull(),
  id: text('id').notNull(),
  hash: text('hash').notNull(),
  mimeType: text('mime_type').notNull(),
  sizeBytes: integer('size_bytes').notNull(),
  /** Of the reservation; a consumed one has its storage id instead. */
  expiresAt: integer('expires_at').notNull(),
  storageId: text('storage_id'),
  consumedAt: integer('consumed_at'),
  createdAt: integer('created_at').notNull(),
}, table => [
  primaryKey({ columns: [table.workspaceId, table.id] }),
])

/** Which live message or post names which file, filled from the log when it is asked for. */
export const fileReferences = sqliteTable('file_references', {
  workspaceId: text('workspace_id').notNull(),
  /** Without its algorithm's prefix, in lower case. */
  digest: text('digest').notNull(),
  tableName: text('table_name').notNull(),
  pk: text('pk').notNull(),
  /** As the row has it. */
  hash: text('hash').notNull(),
  /** The change that names the file; it is a reference for as long as this is the row's winner. */
  serverVersion: integer('server_version').notNull(),
}, table => [
  primaryKey({ columns: [table.workspaceId, table.digest, table.tableName, table.pk] }),
  index('file_references_row').on(table.workspaceId, table.tableName, table.pk),
])

/** Up to where the log has been read for `file_references`. */
export const fileReferenceProgress = sqliteTable('file_reference_progress', {
  workspaceId: text('workspace_id').primaryKey(),
  readVersion: integer('read_version').notNull(),
})

export const rateLimits = sqliteTable('rate_limits', {
  key: text('key').primaryKey(),
  /** JSON: the moments of the requests that still count, oldest first. */
  momentsMs: text('moments_ms').notNull(),
  /** When the newest of them no longer counts. */
  expiresAtMs: integer('expires_at_ms').notNull(),
}, table => [
  index('rate_limits_expiry').on(table.expiresAtMs),
])

const historyPhases = [
  'admission_pending', 'ready', 'finalization_pending', 'committed', 'superseded', 'blocked',
] as const

export const backgroundJobs = sqliteTable('background_jobs', {
  id: text('id').primaryKey(),
  userId: text('user_id').notNull(),
  status: text('status', { enum: ['streaming', 'complete', 'error', 'aborted'] }).notNull(),
  /** The admission that made it; a second one with this key gets the same job. */
  idempotencyKey: text('idempotency_key'),
  /** 1 where it has an execution that a worker may run again. */
  claimable: integer('claimable').notNull(),
  /** 1 while it waits for a browser; it takes no worker's place then. */
  parked: integer('parked').notNull(),
  leaseOwner: text('lease_owner'),
  leaseExpiresAtMs: integer('lease_expires_at_ms'),
  attempts: integer('attempts').notNull(),
  startedAtMs: integer('started_at_ms').notNull(),
  activeAtMs: integer('active_at_ms').notNull(),
  completedAtMs: integer('completed_at_ms'),
  chunksReceived: integer('chunks_received').notNull(),
  /** Where the write of its result into the synced history stands, as the host says; null where it keeps none. */
  historyPhase: text('history_phase', { enum: historyPhases }),
  error: text('error'),
  /** JSON: what the job is about; it never changes. */
  details: text('details').notNull(),
  /** JSON: what a viewer sees beside the text, such as tool calls. */
  progress: text('progress').notNull(),
  /** JSON: what a worker needs to run it again. */
  execution: text('execution'),
  reasoning: text('reasoning').notNull(),
  /** Last, so that reading a state need not walk an overflow chain. */
  content: text('content').notNull(),
}, table => [
  uniqueIndex('background_jobs_admission').on(table.userId, table.idempotencyKey),
  index('background_jobs_running').on(table.startedAtMs).where(sql`status = 'streaming'`),
  index('background_jobs_finished').on(table.completedAtMs).where(sql`status <> 'streaming'`),
  index('background_jobs_history').on(table.startedAtMs)
    .where(sql`history_phase in ('admission_pending', 'finalization_pending')`),
  check('background_jobs_status', sql`${table.status} in ('streaming', 'complete', 'error', 'aborted')`),
])

/** Admissions that were called off before their job was made. */
export const cancelledAdmissions = sqliteTable('cancelled_admissions', {
  userId: text('user_id').notNull(),
  idempotencyKey: text('idempotency_key').notNull(),
  expiresAtMs: integer('expires_at_ms').notNull(),
}, table => [
  primaryKey({ columns: [table.userId, table.idempotencyKey] }),
])
