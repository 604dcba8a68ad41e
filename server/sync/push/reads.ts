/** The queries of a push. Their number does not depend on the number of ops. */
import type { InValue } from '@libsql/core/api'
import { sql } from 'drizzle-orm'
import type { WriteTransaction } from '../../database/types.ts'
import { compileRowsSql, compileSql, inParts, readRows, type Statement } from '../../database/statement.ts'
import type { UserCaller } from '../caller.ts'
import { cursorNameOf } from '../cursors.ts'
import type { SyncOperation } from '../../../shared/protocol.ts'
import { splitTexts } from '../json.ts'
import { maxWinnerBytes } from '../../../shared/limits.ts'
import { logOf } from '../log.ts'
import type { ValidOp } from './validate.ts'
import { idOf, keyOf, type StoredOp, type StoredState, type StoredWinner, type WinnerRow } from './merge.ts'

/** `place` is the index of the op in the batch. */
type SeenTuple = [place: number, serverVersion: number, tableName: string, pk: string, op: SyncOperation,
  clock: number, hlc: string, deviceId: string, isSameLength: 0 | 1]
type WinnerTuple = [place: number, serverVersion: number, op: SyncOperation,
  clock: number, hlc: string, opId: string, ownerUserId: string | null]

/** The part of `StoredState` that one statement reads. */
export interface Found extends Omit<StoredState, 'deferred' | 'seen' | 'left'> {
  /** Undefined before the first push. */
  logId: number | undefined
  horizon: number
}

/** What the look-up of a winner needs of an op. */
export type OpKey = Pick<ValidOp, 'tableName' | 'pk'>

interface InWorkspace { workspaceId: string }

/** `winners`: JSON arrays joined by commas. */
export interface BeforeRow { logId: number, head: number, horizon: number, winners: string | null }

/** The counters, and the winners of the keys that `ops` touch. */
export async function readStoredState(
  tx: WriteTransaction, workspaceId: string, ops: readonly OpKey[],
): Promise<Found> {
  const rows: (BeforeRow | undefined)[] = []
  for (const part of inParts(ops)) rows.push((await readRows(tx, selectBefore(workspaceId, part)))[0])
  return toFound(ops, rows)
}

/** What the rows of `selectBefore`, one for each part of `ops`, say. */
export function toFound(ops: readonly OpKey[], rows: readonly (BeforeRow | undefined)[]): Found {
  const winners = new Map<string, StoredWinner>()
  ;[...inParts(ops)].forEach((part, index) => {
    const tuples = JSON.parse(`[${rows[index]?.winners ?? ''}]`) as WinnerTuple[]
    for (const [place, serverVersion, operation, clock, hlc, opId, ownerUserId] of tuples) {
      winners.set(keyOf(part[place]!), { serverVersion, operation, clock, hlc, opId, ownerUserId })
    }
  })
  const { logId, head = 0, horizon = 0 } = rows[0] ?? {}
  return { logId, head, horizon, winners }
}

/** Selects the counters, and the winners of the keys of one part of a push. */
export function selectBefore(workspaceId: string, ops: readonly OpKey[]) {
  const [first] = ops
  if (!first) return selectCounters({ workspaceId })
  return ops.length === 1
    ? selectBeforeOne({ workspaceId, tableName: first.tableName, pk: first.pk })
    : selectBeforeMany(ops, { workspaceId })
}

const selectCounters = compileSql<InWorkspace, BeforeRow>(value => sql`
  select id as "logId", head, horizon, null as winners from logs where workspace_id = ${value('workspaceId')}
  limit 1`)

const winnerTuple = sql.raw(
  `json_array(wanted.place, c.server_version, c.op, c.clock, c.hlc, c.op_id, c.owner_user_id)`,
)

function writeKey(args: InValue[], { tableName, pk }: OpKey, place: number) {
  args.push(place, tableName, pk)
}

const selectBeforeMany = compileRowsSql<OpKey, InWorkspace, BeforeRow>([], 3, writeKey, (rows, value) => sql`
  select l.id as "logId", l.head, l.horizon, (
    select group_concat(${winnerTuple})
    from (select column1 as place, column2 as table_name, column3 as pk from (${rows})) as wanted
    cross join records r on r.log_id = l.id and r.table_name = wanted.table_name and r.pk = wanted.pk
    cross join changes c on c.log_id = l.id and c.server_version = r.server_version) as winners
  from logs l where l.workspace_id = ${value('workspaceId')}
  limit 1`)

/** A push of one op is the most frequent one. Without the list it takes a tenth less time. */
const selectBeforeOne = compileSql<InWorkspace & { tableName: string, pk: string }, BeforeRow>(value => sql`
  select l.id as "logId", l.head, l.horizon, case when c.server_version is not null then ${winnerTuple} end as winners
  from (select 0 as place) as wanted
  cross join logs l on l.workspace_id = ${value('workspaceId')}
  left join records r on r.log_id = l.id and r.table_name = ${value('tableName')} and r.pk = ${value('pk')}
  left join changes c on c.log_id = l.id and c.server_version = r.server_version
  limit 1`)

/** Selects the devices of the batch whose puts of unknown rows must wait (deferred-devices.ts). */
export function selectDeferred({ workspaceId, userId }: UserCaller, ops: readonly ValidOp[]): Statement<DeferredRow> {
  const devices = [...new Set(ops.map(op => cursorNameOf(op.deviceId)))]
  return selectBehind({ workspaceId, userId, devices: JSON.stringify(devices) })
}

export interface DeferredRow { deviceId: string }

/** The device ids of `ops` that those rows mean. */
export function toDeferred(ops: readonly ValidOp[], rows: readonly DeferredRow[]): Set<string> {
  const names = new Set(rows.map(row => row.deviceId))
  return new Set(ops.map(op => op.deviceId).filter(device => names.has(cursorNameOf(device))))
}

/** Those that last reported a cursor behind the horizon, and were not released since it rose. */
const selectBehind = compileSql<InWorkspace & { userId: string, devices: string }, DeferredRow>(value => sql`
  select d.device_id as "deviceId" from logs l
  cross join json_each(${value('devices')}) v
  cross join device_cursors d on d.workspace_id = l.workspace_id and d.user_id = ${value('userId')}
    and d.device_id = v.value
    and d.cursor < l.horizon
  left join deferred_devices f on f.workspace_id = l.workspace_id and f.user_id = ${value('userId')}
    and f.device_id = d.device_id
  where l.workspace_id = ${value('workspaceId')} and (f.released is not 1 or f.horizon < l.horizon)`)

/** The ops of the batch that the log holds already, by `idOf`. */
export async function readSeen(
  tx: WriteTransaction, workspaceId: string, ops: readonly ValidOp[],
): Promise<Map<string, StoredOp>> {
  const seen = new Map<string, StoredOp>()
  for (const part of inParts(ops)) addSeen(seen, part, (await readRows(tx, selectSeen(part, { workspaceId })))[0]!)
  return seen
}

export interface SeenRow { seen: string, payloads: string | null }

function writeWanted(args: InValue[], op: ValidOp, place: number) {
  args.push(place, op.opId, op.payload === null ? null : Buffer.byteLength(op.payload))
}

/**
 * Selects the ops of one part that the log holds already. Reads a payload only where its length equals the incoming
 * one.
 */
export const selectSeen = compileRowsSql<ValidOp, InWorkspace, SeenRow>([], 3, writeWanted, (rows, value) => sql`
  select
    json_group_array(json_array(wanted.place, s.server_version, s.table_name, s.pk, s.op, s.clock, s.hlc, s.device_id,
      octet_length(s.payload) is wanted.bytes)) as seen,
    group_concat(
      case when s.payload is not null and octet_length(s.payload) = wanted.bytes then s.payload else '' end,
      char(30)) as payloads
  from (select column1 as place, column2 as id, column3 as bytes from (${rows})) as wanted
  cross join changes s on s.log_id = ${logOf(value('workspaceId'))} and s.op_key = unhex(wanted.id, '-')
  limit 1`)

/** Adds what a row of `selectSeen` says. Where an op id comes twice in the batch, the tuple with a payload counts. */
export function addSeen(seen: Map<string, StoredOp>, ops: readonly ValidOp[], row: SeenRow): void {
  const payloads = splitTexts(row.payloads)
  const tuples = JSON.parse(row.seen) as SeenTuple[]
  tuples.forEach(([place, serverVersion, tableName, pk, operation, clock, hlc, deviceId, isSameLength], index) => {
    const { opId } = ops[place]!
    const id = idOf({ opId })
    if (seen.has(id) && !isSameLength) return
    seen.set(id, {
      opId,
      serverVersion,
      tableName,
      pk,
      operation,
      clock,
      hlc,
      deviceId,
      payload: isSameLength ? payloads[index] || null : undefined,
    })
  })
}

/**
 * Selects the winners at `versions`, from the first on until `maxWinnerBytes` is reached. A winner that was cleaned up
 * meanwhile is missing.
 */
export function selectWinners(workspaceId: string, versions: readonly number[]): Statement<WinnerRow> {
  return selectWinnersOf({ workspaceId, versions: JSON.stringify(versions) })
}

/** A receipt carries a put's payload twice, a delete's not at all. */
const selectWinnersOf = compileSql<InWorkspace & { versions: string }, WinnerRow>(value => sql`
  select fitting.place, c.op, c.clock, c.hlc, c.op_id as "opId", c.created_at as "createdAt",
    case c.op when 'put' then c.payload end as payload
  from (
    select v.key as place, c.server_version,
      sum(case c.op when 'put' then 2 * octet_length(c.payload) else 0 end) over (order by v.key) as bytes
    from json_each(${value('versions')}) v
    cross join changes c on c.log_id = ${logOf(value('workspaceId'))} and c.server_version = v.value) as fitting
  cross join changes c on c.log_id = ${logOf(value('workspaceId'))} and c.server_version = fitting.server_version
  where fitting.bytes <= ${maxWinnerBytes}`)
