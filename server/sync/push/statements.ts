/**
 * The statements of a push: a constant number whatever its size, each over one JSON parameter (SQL that never changes,
 * prepared once, one round trip each to a remote server). The stamp travels as a JSON object's key and the payload as
 * its value, so that SQLite reads no payload twice.
 */
import { type SQL, sql } from 'drizzle-orm'
import type { WriteTransaction } from '../../db/open.ts'
import { compileSql } from '../../db/statement.ts'
import { parseJson } from '../../parse-json.ts'
import type { SyncOperation, Winner } from '../gateway/types.ts'
import type { AdmittedOp } from './admit.ts'
import { maxWinnerBytes } from '../limits.ts'
import { type Before, keyOf, type LogEntry, type StoredOp, type StoredWinner, type Tombstone } from './merge.ts'

type SeenTuple = [opId: string, serverVersion: number, tableName: string, pk: string, op: SyncOperation,
  clock: number, hlc: string, deviceId: string, isSameLength: 0 | 1]
type WinnerTuple = [tableName: string, pk: string, serverVersion: number, op: SyncOperation,
  clock: number, hlc: string, opId: string, ownerUserId: string | null]

/** What `mergeOps` decides on; `behind` are the devices of the batch that last reported a cursor behind the horizon. */
export interface Found extends Omit<Before, 'held'> {
  horizon: number
  behind: string[]
}

interface BeforeRow { head: number | null, horizon: number | null, seen: string, payloads: string | null, winners: string }

/** The counters, the ops of the batch that the log holds already, and the winners of the keys it touches. */
export async function readBefore(tx: WriteTransaction, workspaceId: string, ops: readonly AdmittedOp[]): Promise<Found> {
  const [only, ...others] = ops
  const [row] = await tx.all<BeforeRow>(only && others.length === 0
    ? selectBeforeOne({ workspaceId, opId: only.opId, bytes: byteLength(only), tableName: only.tableName, pk: only.pk })
    : selectBefore({
        workspaceId,
        opIds: JSON.stringify(ops.map(op => [op.opId, byteLength(op)])),
        keys: JSON.stringify(groupByTable(ops, () => 0)),
      }))
  const horizon = row!.horizon ?? 0
  return {
    head: row!.head ?? 0,
    horizon,
    behind: horizon === 0 ? [] : await readBehind(tx, workspaceId, ops),
    seen: toSeen(JSON.parse(row!.seen) as SeenTuple[], row!.payloads?.split(separator) ?? []),
    winners: new Map((JSON.parse(row!.winners) as WinnerTuple[]).map(winner => [keyOf({ tableName: winner[0], pk: winner[1] }), toStoredWinner(winner)])),
  }
}

/** JSON text never holds this character as it is. */
const separator = '\u001e'

/** `wanted` gives (id, bytes) of each op, `touched` (table_name, pk) of each key. A payload is read only where its length is right. */
const before = (workspaceId: unknown, wanted: SQL, touched: SQL) => sql`
  select
    h.head, h.horizon, seen.seen, seen.payloads,
    (select json_group_array(json_array(r.table_name, r.pk, r.server_version, c.op, c.clock, c.hlc, c.op_id, c.owner_user_id))
      from (${touched}) as touched
      cross join records r on r.workspace_id = ${workspaceId} and r.table_name = touched.table_name and r.pk = touched.pk
      cross join changes c on c.workspace_id = ${workspaceId} and c.server_version = r.server_version) as winners
  from (
    select json_group_array(json_array(c.op_id, c.server_version, c.table_name, c.pk, c.op, c.clock, c.hlc, c.device_id, octet_length(c.payload) is wanted.bytes)) as seen,
      group_concat(case when c.payload is not null and octet_length(c.payload) = wanted.bytes then c.payload else '' end, char(30)) as payloads
    from (${wanted}) as wanted
    cross join changes c on c.workspace_id = ${workspaceId} and c.op_id = wanted.id) as seen
  left join heads h on h.workspace_id = ${workspaceId}
  limit 1`

const selectBefore = compileSql<'workspaceId' | 'opIds' | 'keys'>(value => before(
  value('workspaceId'),
  sql`select value ->> 0 as id, value ->> 1 as bytes from json_each(${value('opIds')})`,
  sql`select t.key as table_name, k.key as pk from json_each(${value('keys')}) t cross join json_each(t.value) k`,
))

/** A push of one op, which is what a keystroke sends, needs no JSON to say so. */
const selectBeforeOne = compileSql<'workspaceId' | 'opId' | 'bytes' | 'tableName' | 'pk'>(value => before(
  value('workspaceId'),
  sql`select ${value('opId')} as id, ${value('bytes')} as bytes`,
  sql`select ${value('tableName')} as table_name, ${value('pk')} as pk`,
))

function byteLength({ payload }: AdmittedOp): number | null {
  return payload === null ? null : Buffer.byteLength(payload)
}

async function readBehind(tx: WriteTransaction, workspaceId: string, ops: readonly AdmittedOp[]): Promise<string[]> {
  const rows = await tx.all<{ deviceId: string }>(selectBehind({ workspaceId, devices: JSON.stringify([...new Set(ops.map(op => op.deviceId))]) }))
  return rows.map(row => row.deviceId)
}

const selectBehind = compileSql<'workspaceId' | 'devices'>(value => sql`
  select d.device_id as "deviceId" from heads h
  cross join json_each(${value('devices')}) v
  cross join device_cursors d on d.workspace_id = h.workspace_id and d.device_id = v.value and d.cursor < h.horizon
  where h.workspace_id = ${value('workspaceId')}`)

/** Of an op that comes twice in the batch the tuple with the payload counts. */
function toSeen(tuples: readonly SeenTuple[], payloads: readonly string[]): Map<string, StoredOp> {
  const seen = new Map<string, StoredOp>()
  tuples.forEach(([opId, serverVersion, tableName, pk, operation, clock, hlc, deviceId, isSameLength], index) => {
    if (seen.has(opId) && !isSameLength) return
    seen.set(opId, { opId, serverVersion, tableName, pk, operation, clock, hlc, deviceId, payload: isSameLength ? payloads[index] || null : undefined })
  })
  return seen
}

function toStoredWinner([, , serverVersion, operation, clock, hlc, opId, ownerUserId]: WinnerTuple): StoredWinner {
  return { serverVersion, operation, clock, hlc, opId, ownerUserId }
}

export async function appendLog(tx: WriteTransaction, workspaceId: string, log: readonly LogEntry[], now: number): Promise<void> {
  const [only, ...others] = log
  await tx.run(only && others.length === 0
    ? insertChange({ ...only, workspaceId, now })
    : insertChanges({ workspaceId, now, log: toLogObject(log) }))
}

const insertInto = sql`insert into changes
  (workspace_id, server_version, table_name, pk, op, clock, hlc, device_id, op_id, owner_user_id, obsoletes, created_at, payload)`

const insertChanges = compileSql<'workspaceId' | 'now' | 'log'>(value => sql`${insertInto}
  select ${value('workspaceId')}, key ->> 0, key ->> 1, key ->> 2, key ->> 3, key ->> 4, key ->> 5, key ->> 6, key ->> 7, key ->> 8, key ->> 9, ${value('now')}, value
  from json_each(${value('log')})`)

const insertChange = compileSql<keyof LogEntry | 'workspaceId' | 'now'>(value => sql`${insertInto}
  values (${value('workspaceId')}, ${value('serverVersion')}, ${value('tableName')}, ${value('pk')}, ${value('operation')}, ${value('clock')}, ${value('hlc')},
    ${value('deviceId')}, ${value('opId')}, ${value('ownerUserId')}, ${value('obsoletes')}, ${value('now')}, ${value('payload')})`)

/** Written by hand because the payloads are JSON text already. */
function toLogObject(log: readonly LogEntry[]): string {
  return `{${log.map(entry => `${JSON.stringify(JSON.stringify([
    entry.serverVersion, entry.tableName, entry.pk, entry.operation, entry.clock, entry.hlc,
    entry.deviceId, entry.opId, entry.ownerUserId, entry.obsoletes,
  ]))}:${entry.payload ?? 'null'}`).join()}}`
}

export async function pointRows(tx: WriteTransaction, workspaceId: string, rows: readonly LogEntry[]): Promise<void> {
  const [only, ...others] = rows
  await tx.run(only && others.length === 0
    ? pointOne({ workspaceId, tableName: only.tableName, pk: only.pk, serverVersion: only.serverVersion })
    : pointMany({ workspaceId, rows: JSON.stringify(groupByTable(rows, row => row.serverVersion)) }))
}

const point = (rows: SQL) => sql`
  insert into records (workspace_id, table_name, pk, server_version) ${rows}
  on conflict (workspace_id, table_name, pk) do update
    set server_version = excluded.server_version, tombstone_version = null, tombstone_at = null`

const pointOne = compileSql<'workspaceId' | 'tableName' | 'pk' | 'serverVersion'>(value =>
  point(sql`values (${value('workspaceId')}, ${value('tableName')}, ${value('pk')}, ${value('serverVersion')})`))

const pointMany = compileSql<'workspaceId' | 'rows'>(value => point(sql`
  select ${value('workspaceId')}, t.key, k.key, k.value from json_each(${value('rows')}) t cross join json_each(t.value) k where true`))

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
  await tx.run(upsertHead({ workspaceId, head }))
}

const upsertHead = compileSql<'workspaceId' | 'head'>(value => sql`
  insert into heads (workspace_id, head) values (${value('workspaceId')}, ${value('head')})
  on conflict (workspace_id) do update set head = excluded.head`)

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
