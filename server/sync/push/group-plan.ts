/**
 * The statements of the plan for a group of pushes (grouped-pushes.ts), in the order in which they run. Until the last
 * one a log's `head` is the one before the group, so what is beyond it is what the group has written.
 */
import { sql } from 'drizzle-orm'
import { maxWinnerBytes } from '../../../shared/limits.ts'
import type { SyncOperation } from '../../../shared/protocol.ts'
import { compileSql } from '../../database/statement.ts'
import type { UserCaller } from '../caller.ts'
import { cursorNameOf } from '../cursors.ts'
import { changeBytes } from '../quota.ts'
import type { GroupedPush } from './grouped-pushes.ts'
import { idOf } from './merge.ts'
import { isValidOp, type ValidOp } from './validate.ts'

interface PlanValues {
  /** JSON: each op, with its push and whose it is. */
  ops: string
  /** The payloads one after the other: SQLite neither parses nor unescapes them. */
  payloads: Uint8Array
  now: number | null
}

interface InWorkspaces {
  /** JSON: the workspaces of the group, each once. */
  workspaces: string
}

/** What `insertNewChanges` is bound with. */
export function toPlanValues(pushes: readonly GroupedPush[], now: number | null): PlanValues {
  const payloads: Buffer[] = []
  let length = 0
  const place = (payload: string | null): [start: number | null, bytes: number | null] => {
    if (payload === null) return [null, null]
    const bytes = Buffer.from(payload)
    payloads.push(bytes)
    length += bytes.length
    return [length - bytes.length + 1, bytes.length]
  }
  const ops = pushes.flatMap(({ caller: { workspaceId, userId }, ops }, push) => ops.filter(isValidOp).map(op => [
    push, workspaceId, userId, cursorNameOf(op.deviceId), op.tableName, op.pk, op.operation, op.clock, op.hlc,
    op.deviceId, idOf(op), op.ownerUserId, ...place(op.payload),
  ]))
  return {
    ops: JSON.stringify(ops),
    payloads: Buffer.concat(payloads),
    now,
  }
}

/** Where an op has what, in the order of `toPlanValues`. */
const [push, workspaceId, userId, cursorName, tableName, pk, op, clock, hlc, deviceId, opId, owner, start, bytes]
  = Array.from({ length: 14 }, (_, index) => sql.raw(`value ->> ${index}`))

/**
 * Logs the ops of every push that may be written as it is, with their versions; a winner names what it obsoletes, a
 * loser itself. Text is compared byte by byte, which is the order of code points. The server parses and plans each
 * statement anew for each group, which takes longer than to run it for one op: so it is as short as it can be.
 */
export const insertNewChanges = compileSql<PlanValues>(value => sql`
  insert into changes
    (log_id, server_version, table_name, pk, op, clock, hlc, device_id, op_id, owner_user_id, obsoletes, created_at,
      payload)
  with met as materialized (
    select v.key, v.value, l.*, w.server_version as won, w.clock, w.hlc, w.op_id, w.owner_user_id as owner
    from json_each(${value('ops')}) v
    cross join logs l on l.workspace_id = ${workspaceId}
    left join records r on r.log_id = l.id and r.table_name = ${tableName} and r.pk = ${pk}
    left join changes w on w.log_id = r.log_id and w.server_version = r.server_version
  )
  select id, version, ${tableName}, ${pk}, ${op}, ${clock}, ${hlc}, ${deviceId}, ${opId}, coalesce(owner, ${owner}),
    iif(won is null or (${clock}, ${hlc}, ${opId}) > (clock, hlc, op_id), won, version),
    coalesce(${value('now')}, unixepoch()), cast(substr(${value('payloads')}, ${start}, ${bytes}) as text)
  from (
    select *, head + row_number() over (partition by id order by key) as version from met
    where ${push} not in (
      select ${push} from met
      where owner <> ${userId}
        or exists (select 1 from changes c where c.log_id = met.id and c.op_key = unhex(${opId}, '-'))
        or horizon and exists (
          select 1 from device_cursors d where d.workspace_id = met.workspace_id and d.user_id = ${userId}
            and d.device_id = ${cursorName} and d.cursor < horizon)))`)

/** Of a group of one op, the most frequent one. */
interface OneValues extends Omit<ValidOp, 'bytes'> {
  workspaceId: string
  userId: string
  cursorName: string
  now: number | null
}

/** The values of the plan for a push of one op; `now` in epoch seconds, null for the database's own clock. */
export function toOneValues({ workspaceId, userId }: UserCaller, op: ValidOp, now: number | null): OneValues {
  return { ...op, opId: idOf(op), workspaceId, userId, cursorName: cursorNameOf(op.deviceId), now }
}

/** As `insertNewChanges` for one op: planned in a third of the time. */
export const insertOneChange = compileSql<OneValues>(value => sql`
  insert into changes
    (log_id, server_version, table_name, pk, op, clock, hlc, device_id, op_id, owner_user_id, obsoletes, created_at,
      payload)
  select id, head + 1, ${value('tableName')}, ${value('pk')}, ${value('operation')}, ${value('clock')}, ${value('hlc')},
    ${value('deviceId')}, ${value('opId')}, coalesce(w.owner_user_id, ${value('ownerUserId')}),
    iif(w.op_id is null or (${value('clock')}, ${value('hlc')}, ${value('opId')}) > (w.clock, w.hlc, w.op_id),
      w.server_version, head + 1),
    coalesce(${value('now')}, unixepoch()), ${value('payload')}
  from logs l
  left join records r on r.log_id = id and r.table_name = ${value('tableName')} and r.pk = ${value('pk')}
  left join changes w on w.log_id = r.log_id and w.server_version = r.server_version
  where l.workspace_id = ${value('workspaceId')} and (w.owner_user_id is null or w.owner_user_id = ${value('userId')})
    and not exists (select 1 from changes c where c.log_id = id and c.op_key = unhex(${value('opId')}, '-'))
    and not (horizon and exists (
      select 1 from device_cursors d where d.workspace_id = l.workspace_id and d.user_id = ${value('userId')}
        and d.device_id = ${value('cursorName')} and d.cursor < horizon))`)

/** What has become of an op. */
export interface Receipt {
  opId: string
  serverVersion: number
  obsoletes: number | null
  /** The operation of the winner that it met. */
  was: SyncOperation | null
  /** From here on that winner, where the op lost to it and there is room; else null. */
  winnerId: string | null
  clock: number
  hlc: string
  createdAt: number
  payload: string | null
}

/**
 * What has become of each op that was logged. As many winners of the first as `maxWinnerBytes` allow, in the whole
 * group: an answer has a row's payload twice, a delete's not at all.
 */
export const selectReceipts = compileSql<InWorkspaces, Receipt>(value => sql`
  select n.op_id as "opId", version as "serverVersion", n.obsoletes, was, w.op_id as "winnerId", w.clock, w.hlc,
    w.created_at as "createdAt", iif(was = 'put', w.payload, null) as payload
  from (
    select c.op_id, c.log_id, c.server_version as version, c.obsoletes, w.op as was, w.server_version as won,
      sum(iif(c.obsoletes = c.server_version and w.op = 'put', 2 * octet_length(w.payload), 0))
        over (order by c.log_id, c.server_version) as bytes
    from logs l cross join changes c on c.log_id = l.id and c.server_version > l.head
    left join records r on r.log_id = c.log_id and r.table_name = c.table_name and r.pk = c.pk
    left join changes w on w.log_id = r.log_id and w.server_version = r.server_version
    where l.workspace_id in (select value from json_each(${value('workspaces')}))) n
  left join changes w on n.obsoletes = version and bytes <= ${maxWinnerBytes} and w.log_id = n.log_id
    and w.server_version = won`)

/** The same for a group of one op. */
export const selectOneReceipt = compileSql<{ workspaceId: string }, Receipt>(value => sql`
  select c.op_id as "opId", c.server_version as "serverVersion", c.obsoletes, w.op as was,
    iif(c.obsoletes = c.server_version, w.op_id, null) as "winnerId", w.clock, w.hlc, w.created_at as "createdAt",
    iif(c.obsoletes = c.server_version and w.op = 'put', w.payload, null) as payload
  from logs l cross join changes c on c.log_id = l.id and c.server_version > l.head
  left join records r on r.log_id = c.log_id and r.table_name = c.table_name and r.pk = c.pk
  left join changes w on w.log_id = r.log_id and w.server_version = r.server_version
  where l.workspace_id = ${value('workspaceId')}`)

/** Points each row to its winner. A change of a deleted row, also one that lost, is the newest under its tombstone. */
export const pointRecords = compileSql<InWorkspaces>(value => sql`
  insert into records (log_id, table_name, pk, server_version, tombstone_version, tombstone_at)
  select c.log_id, c.table_name, c.pk, iif(c.obsoletes = c.server_version, r.server_version, c.server_version),
    iif(c.obsoletes = c.server_version or c.op = 'delete', c.server_version, null),
    iif(c.obsoletes = c.server_version or c.op = 'delete', c.created_at, null)
  from logs l cross join changes c on c.log_id = l.id and c.server_version > l.head
  left join records r on r.log_id = c.log_id and r.table_name = c.table_name and r.pk = c.pk
  where l.workspace_id in (select value from json_each(${value('workspaces')}))
    and (c.obsoletes is not c.server_version or r.tombstone_version is not null)
  on conflict (log_id, table_name, pk) do update
    set server_version = excluded.server_version, tombstone_version = excluded.tombstone_version,
      tombstone_at = excluded.tombstone_at`)

/** Last: from here on the group is part of the log. */
export const moveHeads = compileSql<InWorkspaces>(value => sql`
  update logs set (head, used_rows, used_bytes) = (
    select head + count(*), used_rows + count(*), used_bytes + coalesce(sum(${changeBytes}), 0)
    from changes where log_id = id and server_version > head)
  where workspace_id in (select value from json_each(${value('workspaces')}))`)
