/**
 * The writes of a push. Their number does not depend on the number of ops. Values are bound one by one, so that SQLite
 * parses no payload (database/statement.ts).
 */
import type { InValue } from '@libsql/core/api'
import { sql } from 'drizzle-orm'
import { maxPartBytes } from '../../../shared/limits.ts'
import type { WriteTransaction } from '../../database/types.ts'
import { compileRowsSql, compileSql, inParts } from '../../database/statement.ts'
import { createTurns } from '../../lib/turns.ts'
import type { Usage } from '../quota.ts'
import type { LogEnd } from './heads.ts'
import type { LogEntry, Tombstone } from './merge.ts'

interface InLog { logId: number }

/** Inserts the entries into the log. Throws where an op id is in it already. */
export async function appendLog(
  tx: WriteTransaction, logId: number, log: readonly LogEntry[], now: number,
): Promise<void> {
  const turns = createTurns()
  for (const part of inTextParts(log)) {
    await tx.execute(insertChanges(part, { logId, now }))
    await turns.pause()
  }
}

/** Parts that one statement takes, none with much more than `maxPartBytes` of texts: it would hold the event loop. */
function* inTextParts(log: readonly LogEntry[]): Generator<readonly LogEntry[]> {
  let [from, bytes] = [0, 0]
  for (let index = 0; index < log.length; index++) {
    bytes += log[index]!.bytes
    if (bytes <= maxPartBytes) continue
    yield* inParts(log.slice(from, index + 1));
    [from, bytes] = [index + 1, 0]
  }
  if (from < log.length) yield* inParts(from === 0 ? log : log.slice(from))
}

interface At extends InLog { now: number }

function writeChange(args: InValue[], entry: LogEntry) {
  args.push(
    entry.serverVersion, entry.tableName, entry.pk, entry.operation, entry.clock, entry.hlc,
    entry.deviceId, entry.opId, entry.ownerUserId, entry.obsoletes, entry.payload,
  )
}

export const insertChanges = compileRowsSql<LogEntry, At>(['logId', 'now'], 11, writeChange, rows => sql`
  insert into changes
    (server_version, table_name, pk, op, clock, hlc, device_id, op_id, owner_user_id, obsoletes, payload, log_id,
      created_at)
  ${rows}`)

/** Deletes the entries that were appended beyond `head`, and sets the head back. No record points to them yet. */
export async function undoAppend(tx: WriteTransaction, logId: number, head: number, claimed: Usage): Promise<void> {
  await tx.execute(deleteAfter({ logId, head }))
  await moveHead(tx, logId, head, { bytes: -claimed.bytes, rows: -claimed.rows })
}

const deleteAfter = compileSql<InLog & { head: number }>(value => sql`
  delete from changes where log_id = ${value('logId')} and server_version > ${value('head')}`)

/** Inserts records for new keys. `rows` must fit one statement. Throws where a key has a record already. */
export async function addRows(tx: WriteTransaction, logId: number, rows: readonly LogEntry[]): Promise<void> {
  await tx.execute(insertRows(rows, { logId }))
}

/** Points each key's record to its new winner. Where two rows are of one key, the later one counts. */
export async function pointRows(tx: WriteTransaction, logId: number, rows: readonly LogEntry[]): Promise<void> {
  for (const part of inParts(rows)) await tx.execute(upsertRows(part, { logId }))
}

function writeRow(args: InValue[], { tableName, pk, serverVersion }: LogEntry) {
  args.push(tableName, pk, serverVersion)
}

const insertRows = compileRowsSql<LogEntry, InLog>(['logId'], 3, writeRow, rows => sql`
  insert into records (table_name, pk, server_version, log_id) ${rows}`)

export const upsertRows = compileRowsSql<LogEntry, InLog>(['logId'], 3, writeRow, rows => sql`
  insert into records (table_name, pk, server_version, log_id) ${rows}
  on conflict (log_id, table_name, pk) do update
    set server_version = excluded.server_version, tombstone_version = null, tombstone_at = null`)

/** Points each key's record to its winning delete. */
export async function pointTombstones(
  tx: WriteTransaction, logId: number, tombstones: readonly Tombstone[], now: number,
): Promise<void> {
  for (const part of inParts(tombstones)) await tx.execute(upsertTombstones(part, { logId, now }))
}

function writeTombstone(args: InValue[], one: Tombstone) {
  args.push(one.tableName, one.pk, one.serverVersion, one.newestVersion)
}

export const upsertTombstones = compileRowsSql<Tombstone, At>(['logId', 'now'], 4, writeTombstone, rows => sql`
  insert into records (table_name, pk, server_version, tombstone_version, log_id, tombstone_at) ${rows}
  on conflict (log_id, table_name, pk) do update
    set server_version = excluded.server_version, tombstone_version = excluded.tombstone_version,
      tombstone_at = excluded.tombstone_at`)

/**
 * Moves the head past the ops, before they are written, if the log still ends at `end`. False where it does not. It
 * saves a query: the head need not be read first.
 */
export async function claimVersions(
  tx: WriteTransaction, workspaceId: string, end: LogEnd, used: Usage,
): Promise<boolean> {
  const { rowsAffected } = await tx.execute(updateEnd({ ...end, workspaceId, ...used }))
  return rowsAffected === 1
}

const updateEnd = compileSql<LogEnd & Usage & { workspaceId: string }>(value => sql`
  update logs set head = head + ${value('rows')}, used_bytes = used_bytes + ${value('bytes')},
    used_rows = used_rows + ${value('rows')}
  where id = ${value('logId')} and workspace_id = ${value('workspaceId')} and head = ${value('head')}
    and horizon = ${value('horizon')}`)

/** Sets the head, and counts what was written before it. */
export async function moveHead(tx: WriteTransaction, logId: number, head: number, used: Usage): Promise<void> {
  await tx.execute(updateHead({ logId, head, ...used }))
}

export const updateHead = compileSql<InLog & Usage & { head: number }>(value => sql`
  update logs set head = ${value('head')}, used_bytes = used_bytes + ${value('bytes')},
    used_rows = used_rows + ${value('rows')}
  where id = ${value('logId')}`)
