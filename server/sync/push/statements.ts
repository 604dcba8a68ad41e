/**
 * The statements of a push: a constant number whatever its size, each over one JSON parameter (SQL that never changes,
 * prepared once, one round trip each to a remote server). The stamp travels as a JSON object's key and the payload as
 * its value, so that SQLite reads no payload twice.
 */
import { sql } from 'drizzle-orm'
import type { WriteTransaction } from '../../db/open.ts'
import { parseJson } from '../../parse-json.ts'
import type { SyncOperation, Winner } from '../gateway/types.ts'
import type { AdmittedOp } from './admit.ts'
import { maxWinnerBytes } from '../limits.ts'
import { type Before, keyOf, type LogEntry, type StoredOp, type StoredWinner, type Tombstone } from './merge.ts'

type SeenTuple = [opId: string, serverVersion: number, tableName: string, pk: string, op: SyncOperation,
  clock: number, hlc: string, deviceId: string, isSameLength: 0 | 1, payload: string | null]
type WinnerTuple = [tableName: string, pk: string, serverVersion: number, op: SyncOperation,
  clock: number, hlc: string, opId: string, ownerUserId: string | null]

/** What `mergeOps` decides on; `behind` are the devices of the batch that last reported a cursor behind the horizon. */
export interface Found extends Omit<Before, 'held'> {
  horizon: number
  behind: string[]
}

/** The counters, the ops of the batch that the log holds already, and the winners of the keys it touches. */
export async function readBefore(tx: WriteTransaction, workspaceId: string, ops: readonly AdmittedOp[]): Promise<Found> {
  const opIds = JSON.stringify(ops.map(op => [op.opId, op.payload === null ? null : Buffer.byteLength(op.payload)]))
  const keys = JSON.stringify(groupByTable(ops, () => 0))
  const devices = JSON.stringify([...new Set(ops.map(op => op.deviceId))])
  const [row] = await tx.all<{ head: number | null, horizon: number | null, behind: string, seen: string, winners: string }>(sql`
    select
      (select head from heads where workspace_id = ${workspaceId}) as head,
      (select horizon from heads where workspace_id = ${workspaceId}) as horizon,
      (select json_group_array(d.device_id) from heads h
        cross join json_each(${devices}) v
        cross join device_cursors d on d.workspace_id = h.workspace_id and d.device_id = v.value and d.cursor < h.horizon
        where h.workspace_id = ${workspaceId} and h.horizon > 0) as behind,
      (select json_group_array(json_array(c.op_id, c.server_version, c.table_name, c.pk, c.op, c.clock, c.hlc, c.device_id,
          octet_length(c.payload) is o.value ->> 1, case when octet_length(c.payload) is o.value ->> 1 then c.payload end))
        from json_each(${opIds}) o
        cross join changes c on c.workspace_id = ${workspaceId} and c.op_id = o.value ->> 0) as seen,
      (select json_group_array(json_array(r.table_name, r.pk, r.server_version, c.op, c.clock, c.hlc, c.op_id, c.owner_user_id))
        from json_each(${keys}) t
        cross join json_each(t.value) k
        cross join records r on r.workspace_id = ${workspaceId} and r.table_name = t.key and r.pk = k.key
        cross join changes c on c.workspace_id = ${workspaceId} and c.server_version = r.server_version) as winners`)
  return {
    head: row!.head ?? 0,
    horizon: row!.horizon ?? 0,
    behind: JSON.parse(row!.behind) as string[],
    seen: toSeen(JSON.parse(row!.seen) as SeenTuple[]),
    winners: new Map((JSON.parse(row!.winners) as WinnerTuple[]).map(winner => [keyOf({ tableName: winner[0], pk: winner[1] }), toStoredWinner(winner)])),
  }
}

/** Of an op that comes twice in the batch the tuple with the payload counts. */
function toSeen(tuples: readonly SeenTuple[]): Map<string, StoredOp> {
  const seen = new Map<string, StoredOp>()
  for (const [opId, serverVersion, tableName, pk, operation, clock, hlc, deviceId, isSameLength, payload] of tuples) {
    if (seen.has(opId) && !isSameLength) continue
    seen.set(opId, { opId, serverVersion, tableName, pk, operation, clock, hlc, deviceId, payload: isSameLength ? payload : undefined })
  }
  return seen
}

function toStoredWinner([, , serverVersion, operation, clock, hlc, opId, ownerUserId]: WinnerTuple): StoredWinner {
  return { serverVersion, operation, clock, hlc, opId, ownerUserId }
}

export async function appendLog(tx: WriteTransaction, workspaceId: string, log: readonly LogEntry[], now: number): Promise<void> {
  await tx.run(sql`
    insert into changes (workspace_id, server_version, table_name, pk, op, clock, hlc, device_id, op_id, owner_user_id, obsoletes, created_at, payload)
    select ${workspaceId}, key ->> 0, key ->> 1, key ->> 2, key ->> 3, key ->> 4, key ->> 5, key ->> 6, key ->> 7, key ->> 8, key ->> 9, ${now}, value
    from json_each(${toLogObject(log)})`)
}

/** Written by hand because the payloads are JSON text already. */
function toLogObject(log: readonly LogEntry[]): string {
  return `{${log.map(entry => `${JSON.stringify(JSON.stringify([
    entry.serverVersion, entry.tableName, entry.pk, entry.operation, entry.clock, entry.hlc,
    entry.deviceId, entry.opId, entry.ownerUserId, entry.obsoletes,
  ]))}:${entry.payload ?? 'null'}`).join()}}`
}

export async function pointRows(tx: WriteTransaction, workspaceId: string, rows: readonly LogEntry[]): Promise<void> {
  await tx.run(sql`
    insert into records (workspace_id, table_name, pk, server_version)
    select ${workspaceId}, t.key, k.key, k.value
    from json_each(${JSON.stringify(groupByTable(rows, row => row.serverVersion))}) t cross join json_each(t.value) k
    where true
    on conflict (workspace_id, table_name, pk) do update
      set server_version = excluded.server_version, tombstone_version = null, tombstone_at = null`)
}

export async function pointTombstones(tx: WriteTransaction, workspaceId: string, tombstones: readonly Tombstone[], now: number): Promise<void> {
  await tx.run(sql`
    insert into records (workspace_id, table_name, pk, server_version, tombstone_version, tombstone_at)
    select ${workspaceId}, value ->> 0, value ->> 1, value ->> 2, value ->> 3, ${now}
    from json_each(${JSON.stringify(tombstones.map(one => [one.tableName, one.pk, one.serverVersion, one.newestVersion]))})
    where true
    on conflict (workspace_id, table_name, pk) do update
      set server_version = excluded.server_version, tombstone_version = excluded.tombstone_version, tombstone_at = excluded.tombstone_at`)
}

export async function moveHead(tx: WriteTransaction, workspaceId: string, head: number): Promise<void> {
  await tx.run(sql`
    insert into heads (workspace_id, head) values (${workspaceId}, ${head})
    on conflict (workspace_id) do update set head = excluded.head`)
}

/** What the winners at `versions` hold, for the receipts of ops that lost to them; `maxWinnerBytes` of them in all. */
export async function readWinners(tx: WriteTransaction, workspaceId: string, versions: readonly number[]): Promise<Map<number, Winner>> {
  const rows = await tx.all<{ version: number, op: SyncOperation, clock: number, hlc: string, opId: string, createdAt: number, payload: string | null }>(sql`
    select c.server_version as version, op, clock, hlc, op_id as "opId", created_at as "createdAt", payload
    from (
      select c.server_version, sum(octet_length(c.payload)) over (order by v.key) as bytes
      from json_each(${JSON.stringify([...new Set(versions)])}) v
      cross join changes c on c.workspace_id = ${workspaceId} and c.server_version = v.value) as fitting
    cross join changes c on c.workspace_id = ${workspaceId} and c.server_version = fitting.server_version
    where coalesce(fitting.bytes, 0) <= ${maxWinnerBytes}`)
  return new Map(rows.map(({ version, op, clock, hlc, opId, createdAt, payload }) => {
    const revision = { clock, hlc, opId }
    return [version, op === 'put'
      ? { kind: 'put', payload: parseJson(payload ?? 'null'), revision }
      : { kind: 'delete', revision, serverDeletedAt: createdAt }]
  }))
}

/** `{ table: { pk: value } }`: two nested json_each read it without parsing a key. Safe for a pk of `__proto__`. */
function groupByTable<T extends { tableName: string, pk: string }>(items: readonly T[], toValue: (item: T) => number): Record<string, Record<string, number>> {
  const tables: Record<string, Record<string, number>> = Object.create(null)
  for (const item of items) {
    tables[item.tableName] ??= Object.create(null)
    tables[item.tableName]![item.pk] = toValue(item)
  }
  return tables
}
