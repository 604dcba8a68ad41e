/**
 * The statements of a push: a constant number whatever its size, over rows that are bound as they are, so that SQLite
 * parses no payload (db/statement.ts); one round trip each to a remote server.
 */
import type { InValue } from '@libsql/core/api'
import { sql } from 'drizzle-orm'
import { isDuplicate } from '../../db/driver-error.ts'
import type { WriteTransaction } from '../../db/open.ts'
import { compileRowsSql, compileSql, maxRowsPerStatement, readRows } from '../../db/statement.ts'
import { parseJson } from '../../parse-json.ts'
import type { SyncOperation, Winner } from '../gateway/types.ts'
import { textSeparator } from '../json.ts'
import type { AdmittedOp } from './admit.ts'
import { maxWinnerBytes } from '../limits.ts'
import { type Before, keyOf, type LogEntry, type StoredOp, type StoredWinner, type Tombstone } from './merge.ts'

/** Each names the op of the batch by its place in it. */
type SeenTuple = [place: number, serverVersion: number, tableName: string, pk: string, op: SyncOperation,
  clock: number, hlc: string, deviceId: string, isSameLength: 0 | 1]
type WinnerTuple = [place: number, serverVersion: number, op: SyncOperation,
  clock: number, hlc: string, opId: string, ownerUserId: string | null]

/** What `mergeOps` decides on; `behind` are the devices of the batch that last reported a cursor behind the horizon. */
export interface Found extends Omit<Before, 'held' | 'seen'> {
  horizon: number
  behind: string[]
}

interface InWorkspace { workspaceId: string }

interface BeforeRow { head: number | null, horizon: number | null, winners: string }

/** The counters, and the winners of the keys that the batch touches. */
export async function readBefore(tx: WriteTransaction, workspaceId: string, ops: readonly AdmittedOp[]): Promise<Found> {
  const winners = new Map<string, StoredWinner>()
  let counters: BeforeRow | undefined
  for (const part of inParts(ops)) {
    const [row] = await readRows(tx, selectBefore(workspaceId, part))
    counters = row!
    for (const [place, serverVersion, operation, clock, hlc, opId, ownerUserId] of JSON.parse(counters.winners) as WinnerTuple[]) {
      winners.set(keyOf(part[place]!), { serverVersion, operation, clock, hlc, opId, ownerUserId })
    }
  }
  const horizon = counters?.horizon ?? 0
  return { head: counters?.head ?? 0, horizon, behind: horizon === 0 ? [] : await readBehind(tx, workspaceId, ops), winners }
}

/** At least one, which may be empty: the counters are always read. */
function* inParts<T>(rows: readonly T[]): Generator<readonly T[]> {
  let from = 0
  do yield rows.length <= maxRowsPerStatement ? rows : rows.slice(from, from + maxRowsPerStatement)
  while ((from += maxRowsPerStatement) < rows.length)
}

function selectBefore(workspaceId: string, ops: readonly AdmittedOp[]) {
  const [only, ...others] = ops
  return only && others.length === 0
    ? selectBeforeOne({ workspaceId, tableName: only.tableName, pk: only.pk })
    : selectBeforeMany(ops, { workspaceId })
}

const winnerTuple = sql.raw(`json_array(wanted.place, c.server_version, c.op, c.clock, c.hlc, c.op_id, c.owner_user_id)`)

function writeKey(args: InValue[], { tableName, pk }: AdmittedOp, _: InWorkspace, place: number) {
  args.push(place, tableName, pk)
}

const selectBeforeMany = compileRowsSql<AdmittedOp, InWorkspace, BeforeRow>(3, writeKey, (rows, value) => sql`
  select h.head, h.horizon, found.winners
  from (
    select json_group_array(${winnerTuple}) as winners
    from (select column1 as place, column2 as table_name, column3 as pk from (${rows})) as wanted
    cross join records r on r.workspace_id = ${value('workspaceId')} and r.table_name = wanted.table_name and r.pk = wanted.pk
    cross join changes c on c.workspace_id = ${value('workspaceId')} and c.server_version = r.server_version) as found
  left join heads h on h.workspace_id = ${value('workspaceId')}
  limit 1`)

/** A push of one op, which is what a keystroke sends: without a list a tenth less. */
const selectBeforeOne = compileSql<InWorkspace & { tableName: string, pk: string }, BeforeRow>(value => sql`
  select h.head, h.horizon, case when c.server_version is null then '[]' else json_array(${winnerTuple}) end as winners
  from (select 0 as place) as wanted
  left join heads h on h.workspace_id = ${value('workspaceId')}
  left join records r on r.workspace_id = ${value('workspaceId')} and r.table_name = ${value('tableName')} and r.pk = ${value('pk')}
  left join changes c on c.workspace_id = ${value('workspaceId')} and c.server_version = r.server_version
  limit 1`)

async function readBehind(tx: WriteTransaction, workspaceId: string, ops: readonly AdmittedOp[]): Promise<string[]> {
  const rows = await readRows(tx, selectBehind({ workspaceId, devices: JSON.stringify([...new Set(ops.map(op => op.deviceId))]) }))
  return rows.map(row => row.deviceId)
}

const selectBehind = compileSql<InWorkspace & { devices: string }, { deviceId: string }>(value => sql`
  select d.device_id as "deviceId" from heads h
  cross join json_each(${value('devices')}) v
  cross join device_cursors d on d.workspace_id = h.workspace_id and d.device_id = v.value and d.cursor < h.horizon
  where h.workspace_id = ${value('workspaceId')}`)

/** The ops of the batch that the log holds already, by op id. */
export async function readSeen(tx: WriteTransaction, workspaceId: string, ops: readonly AdmittedOp[]): Promise<Map<string, StoredOp>> {
  const seen = new Map<string, StoredOp>()
  for (const part of inParts(ops)) {
    const [row] = await readRows(tx, selectSeen(part, { workspaceId }))
    addSeen(seen, part, JSON.parse(row!.seen) as SeenTuple[], row!.payloads?.split(textSeparator) ?? [])
  }
  return seen
}

function writeWanted(args: InValue[], op: AdmittedOp, _: InWorkspace, place: number) {
  args.push(place, op.opId, op.payload === null ? null : Buffer.byteLength(op.payload))
}

/** A payload is read only where its length is right. */
const selectSeen = compileRowsSql<AdmittedOp, InWorkspace, { seen: string, payloads: string | null }>(3, writeWanted, (rows, value) => sql`
  select
    json_group_array(json_array(wanted.place, s.server_version, s.table_name, s.pk, s.op, s.clock, s.hlc, s.device_id,
      octet_length(s.payload) is wanted.bytes)) as seen,
    group_concat(case when s.payload is not null and octet_length(s.payload) = wanted.bytes then s.payload else '' end, char(30)) as payloads
  from (select column1 as place, column2 as id, column3 as bytes from (${rows})) as wanted
  cross join changes s on s.workspace_id = ${value('workspaceId')} and s.op_id = wanted.id
  limit 1`)

/** Of an op that comes twice in the batch the tuple with the payload counts. */
function addSeen(seen: Map<string, StoredOp>, ops: readonly AdmittedOp[], tuples: readonly SeenTuple[], payloads: readonly string[]) {
  tuples.forEach(([place, serverVersion, tableName, pk, operation, clock, hlc, deviceId, isSameLength], index) => {
    const { opId } = ops[place]!
    if (seen.has(opId) && !isSameLength) return
    seen.set(opId, { opId, serverVersion, tableName, pk, operation, clock, hlc, deviceId, payload: isSameLength ? payloads[index] || null : undefined })
  })
}

/** Writes what seems to be new; false, and nothing is written, where the log holds one of the op ids already. */
export async function appendIfNew(tx: WriteTransaction, workspaceId: string, log: readonly LogEntry[], now: number): Promise<boolean> {
  // SQLite undoes the statement that failed, and not those before it.
  if (log.length > maxRowsPerStatement) return false
  try {
    await appendLog(tx, workspaceId, log, now)
    return true
  }
  catch (error) {
    if (isDuplicate(error)) return false
    throw error
  }
}

export async function appendLog(tx: WriteTransaction, workspaceId: string, log: readonly LogEntry[], now: number): Promise<void> {
  if (log.length === 0) return
  for (const part of inParts(log)) await tx.execute(insertChanges(part, { workspaceId, now }))
}

interface At extends InWorkspace { now: number }

function writeChange(args: InValue[], entry: LogEntry, { workspaceId, now }: At) {
  args.push(
    workspaceId, entry.serverVersion, entry.tableName, entry.pk, entry.operation, entry.clock, entry.hlc,
    entry.deviceId, entry.opId, entry.ownerUserId, entry.obsoletes, now, entry.payload,
  )
}

const insertChanges = compileRowsSql<LogEntry, At>(13, writeChange, rows => sql`
  insert into changes
    (workspace_id, server_version, table_name, pk, op, clock, hlc, device_id, op_id, owner_user_id, obsoletes, created_at, payload)
  ${rows}`)

/** `rows` have won their keys; of two for one key the later counts. */
export async function pointRows(tx: WriteTransaction, workspaceId: string, rows: readonly LogEntry[]): Promise<void> {
  for (const part of inParts(rows)) await tx.execute(upsertRows(part, { workspaceId }))
}

function writeRow(args: InValue[], { tableName, pk, serverVersion }: LogEntry, { workspaceId }: InWorkspace) {
  args.push(workspaceId, tableName, pk, serverVersion)
}

const upsertRows = compileRowsSql<LogEntry, InWorkspace>(4, writeRow, rows => sql`
  insert into records (workspace_id, table_name, pk, server_version) ${rows}
  on conflict (workspace_id, table_name, pk) do update
    set server_version = excluded.server_version, tombstone_version = null, tombstone_at = null`)

export async function pointTombstones(tx: WriteTransaction, workspaceId: string, tombstones: readonly Tombstone[], now: number): Promise<void> {
  for (const part of inParts(tombstones)) await tx.execute(upsertTombstones(part, { workspaceId, now }))
}

function writeTombstone(args: InValue[], one: Tombstone, { workspaceId, now }: At) {
  args.push(workspaceId, one.tableName, one.pk, one.serverVersion, one.newestVersion, now)
}

const upsertTombstones = compileRowsSql<Tombstone, At>(6, writeTombstone, rows => sql`
  insert into records (workspace_id, table_name, pk, server_version, tombstone_version, tombstone_at) ${rows}
  on conflict (workspace_id, table_name, pk) do update
    set server_version = excluded.server_version, tombstone_version = excluded.tombstone_version, tombstone_at = excluded.tombstone_at`)

export async function moveHead(tx: WriteTransaction, workspaceId: string, head: number): Promise<void> {
  await tx.execute(upsertHead({ workspaceId, head }))
}

const upsertHead = compileSql<InWorkspace & { head: number }>(value => sql`
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
