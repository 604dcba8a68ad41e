/**
 * The change log and what points into it. A payload is stored once, in the log: `records` holds one row per key
 * that names the winner's version, and a log row names the version it made obsolete. From these two pointers come
 * last-writer-wins, a snapshot as of any version, and a clean-up that can only drop what has been superseded.
 * A workspace goes by the number of its log, and an op id is indexed as its 16 bytes: as text the two made the indexes
 * twice as large, and a push of many rows a half slower. No foreign key leads to `workspaces`: a host may keep its
 * workspaces in another store.
 */
import { and, eq, sql } from 'drizzle-orm'
import { blob, index, integer, primaryKey, sqliteTable, sqliteView, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

/** One log per workspace that was ever pushed to, and its version counters. */
export const logs = sqliteTable('logs', {
  id: integer('id').primaryKey(),
  workspaceId: text('workspace_id').notNull(),
  /** The newest version handed out; 0 before the first. */
  head: integer('head').notNull(),
  /**
   * A device behind it needs a snapshot: the newest version of a tombstone that was dropped, or where a restore went
   * on.
   */
  horizon: integer('horizon').notNull().default(0),
  /** Up to where the clean-up has read the log: what a change up to here made obsolete is gone. */
  cleanedVersion: integer('cleaned_version').notNull().default(0),
  /** What its changes take of the quota (sync/quota.ts); moved with the head. */
  usedBytes: integer('used_bytes').notNull().default(0),
  usedRows: integer('used_rows').notNull().default(0),
}, table => [
  uniqueIndex('logs_workspace').on(table.workspaceId),
])

export const changes = sqliteTable('changes', {
  logId: integer('log_id').notNull(),
  serverVersion: integer('server_version').notNull(),
  tableName: text('table_name').notNull(),
  pk: text('pk').notNull(),
  op: text('op', { enum: ['put', 'delete'] }).notNull(),
  clock: integer('clock').notNull(),
  hlc: text('hlc').notNull(),
  deviceId: text('device_id').notNull(),
  opId: text('op_id').notNull(),
  /** The op id as its 16 bytes, which is what it is known by; not stored, but in the index. */
  opKey: blob('op_key').generatedAlwaysAs(sql`unhex(op_id, '-')`, { mode: 'virtual' }),
  /** The one user who may see this change; null where every member may. */
  ownerUserId: text('owner_user_id'),
  /**
   * The version this op made obsolete: the key's last winner where it won, itself where it lost, null for a new key.
   */
  obsoletes: integer('obsoletes'),
  createdAt: integer('created_at').notNull(),
  /** JSON text, equal to what the device sent. Last, so that reading a stamp need not walk an overflow chain. */
  payload: text('payload'),
}, table => [
  primaryKey({ columns: [table.logId, table.serverVersion] }),
  uniqueIndex('changes_op').on(table.logId, table.opKey),
  // A pull of a few tables seeks instead of scanning the whole log.
  index('changes_table').on(table.logId, table.tableName, table.serverVersion),
])

/** One row per key, live or deleted: which log row is its winner. */
export const records = sqliteTable('records', {
  logId: integer('log_id').notNull(),
  tableName: text('table_name').notNull(),
  pk: text('pk').notNull(),
  serverVersion: integer('server_version').notNull(),
  /** Of a tombstone: the newest change of its key, winner or loser, and when it came; null for a live row. */
  tombstoneVersion: integer('tombstone_version'),
  tombstoneAt: integer('tombstone_at'),
}, table => [
  primaryKey({ columns: [table.logId, table.tableName, table.pk] }),
  // Live rows are not in it, so that only deletes pay for it.
  index('records_tombstone').on(table.logId, table.tombstoneAt, table.tombstoneVersion)
    .where(sql`tombstone_at is not null`),
])

export const deviceCursors = sqliteTable('device_cursors', {
  workspaceId: text('workspace_id').notNull(),
  deviceId: text('device_id').notNull(),
  userId: text('user_id').notNull(),
  cursor: integer('cursor').notNull(),
  updatedAt: integer('updated_at').notNull(),
}, table => [
  // By user too: nobody can take another member's device id.
  primaryKey({ columns: [table.workspaceId, table.userId, table.deviceId] }),
  // The slowest living device is among the first of these.
  index('device_cursors_slowest').on(table.workspaceId, table.cursor, table.updatedAt),
])

/** Devices behind the horizon of which a put waits until they could learn that they need a snapshot. */
export const deferredDevices = sqliteTable('deferred_devices', {
  workspaceId: text('workspace_id').notNull(),
  userId: text('user_id').notNull(),
  /** As its cursor is kept. */
  deviceId: text('device_id').notNull(),
  /** Behind which it was when its put was deferred. */
  horizon: integer('horizon').notNull(),
  deferredAt: integer('deferred_at').notNull(),
  /** 1 once a pull of its user could tell it. */
  released: integer('released').notNull(),
}, table => [
  primaryKey({ columns: [table.workspaceId, table.userId, table.deviceId] }),
])

/** What the server itself remembers across restarts: the key that signs page tokens, when it last cleaned up. */
export const layerState = sqliteTable('layer_state', {
  name: text('name').primaryKey(),
  value: text('value').notNull(),
})

/** The current rows with their payloads, for whoever opens the studio; no statement of the layer reads it. */
export const currentRows = sqliteView('current_rows').as(query => query
  .select({
    workspaceId: logs.workspaceId,
    tableName: records.tableName,
    pk: records.pk,
    serverVersion: records.serverVersion,
    op: changes.op,
    clock: changes.clock,
    hlc: changes.hlc,
    opId: changes.opId,
    deviceId: changes.deviceId,
    payload: changes.payload,
  })
  .from(records)
  .innerJoin(logs, eq(logs.id, records.logId))
  .innerJoin(changes, and(
    eq(changes.logId, records.logId),
    eq(changes.serverVersion, records.serverVersion),
  )))
