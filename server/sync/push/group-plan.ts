/**
 * The statements of the plan for a group of pushes (grouped-pushes.ts), in the order in which they run. Until the last
 * one a log's `head` is the one before the group, so what is beyond it is what the group has written.
 */
import { sql } from 'drizzle-orm'
import { maxWinnerBytes } from '../../../shared/limits.ts'
import type { SyncOperation } from '../../../shared/protocol.ts'
import { compileSql } from '../../database/statement.ts'
import { cursorNameOf } from '../cursors.ts'
import { changeBytes } from '../quota.ts'
import type { GroupedPush } from './grouped-pushes.ts'
import { idOf } from './merge.ts'
import type { WinnerRow } from './reads.ts'
import { isValidOp } from './validate.ts'

interface PlanValues {
  /** JSON: the place in the group, workspace and user of each push. */
  pushes: string
  /** JSON: the stamp of each op and where its payload is, with the place of its push. */
  ops: string
  /** The payloads one after the other: SQLite neither parses nor unescapes them. */
  payloads: Uint8Array
  /** JSON: each workspace once. */
  workspaces: string
  now: number | null
}

/** What the statements are bound with. */
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
  const ops = pushes.flatMap(({ ops }, index) => ops.filter(isValidOp).map(op => [
    index, op.tableName, op.pk, op.operation, op.clock, op.hlc, op.deviceId, cursorNameOf(op.deviceId),
    idOf(op), op.ownerUserId, ...place(op.payload),
  ]))
  return {
    pushes: JSON.stringify(pushes.map(({ caller }, index) => [index, caller.workspaceId, caller.userId])),
    ops: JSON.stringify(ops),
    payloads: Buffer.concat(payloads),
    workspaces: JSON.stringify([...new Set(pushes.map(({ caller }) => caller.workspaceId))]),
    now,
  }
}

/** Begins the logs that are not there yet. */
export const insertNewLogs = compileSql<PlanValues>(value => sql`
  insert into logs (workspace_id, head) select value, 0 from json_each(${value('workspaces')}) where true
  on conflict (workspace_id) do nothing`)

/** What has become of an op; `was` is the operation of the winner that it met. */
export interface NewChange { opId: string, serverVersion: number, obsoletes: number | null, was: SyncOperation | null }

/**
 * Logs the ops of every push that may be written as it is, with their versions; a winner names what it obsoletes, a
 * loser itself. Text is compared byte by byte, which is the order of code points.
 */
export const insertNewChanges = compileSql<PlanValues, NewChange>(value => sql`
  insert into changes
    (log_id, server_version, table_name, pk, op, clock, hlc, device_id, op_id, owner_user_id, obsoletes, created_at,
      payload)
  with push as materialized (
    select v.value ->> 0 as place, v.value ->> 1 as workspace_id, v.value ->> 2 as user_id, l.id as log_id, l.head,
      l.horizon
    from json_each(${value('pushes')}) v cross join logs l on l.workspace_id = v.value ->> 1
  ), incoming as materialized (
    select v.key as place, p.place as push, p.workspace_id, p.user_id, p.log_id, p.head, p.horizon,
      v.value ->> 1 as table_name, v.value ->> 2 as pk, v.value ->> 3 as op, v.value ->> 4 as clock,
      v.value ->> 5 as hlc,
      v.value ->> 6 as device_id, v.value ->> 7 as cursor_name, v.value ->> 8 as op_id, v.value ->> 9 as owner_user_id,
      v.value ->> 10 as payload_start, v.value ->> 11 as payload_bytes
    from json_each(${value('ops')}) v cross join push p on p.place = v.value ->> 0
  ), met as materialized (
    select i.*, w.server_version as w_version, w.clock as w_clock, w.hlc as w_hlc, w.op_id as w_op_id,
      w.owner_user_id as w_owner
    from incoming i
    left join records r on r.log_id = i.log_id and r.table_name = i.table_name and r.pk = i.pk
    left join changes w on w.log_id = r.log_id and w.server_version = r.server_version
  ), unsettled as materialized (
    select distinct push from met
    where exists (select 1 from changes c where c.log_id = met.log_id and c.op_key = unhex(met.op_id, '-'))
      or (w_owner is not null and w_owner is not user_id)
      or (horizon > 0 and exists (
        select 1 from device_cursors d where d.workspace_id = met.workspace_id and d.user_id = met.user_id
          and d.device_id = met.cursor_name and d.cursor < met.horizon))
  ), new as (
    select *, head + row_number() over (partition by log_id order by place) as version from met
    where push not in (select push from unsettled)
  )
  select log_id, version, table_name, pk, op, clock, hlc, device_id, op_id, coalesce(w_owner, owner_user_id),
    case when w_version is null then null
      when (clock, hlc, op_id) > (w_clock, w_hlc, w_op_id) then w_version else version end,
    coalesce(${value('now')}, unixepoch()), cast(substr(${value('payloads')}, payload_start, payload_bytes) as text)
  from new order by place
  returning op_id as "opId", server_version as "serverVersion", obsoletes, (
    select w.op from records r cross join changes w on w.log_id = r.log_id and w.server_version = r.server_version
    where r.log_id = changes.log_id and r.table_name = changes.table_name and r.pk = changes.pk) as was`)

/** The winner that the op `lostId` lost to. */
export interface Loser extends Omit<WinnerRow, 'place'> { lostId: string }

/**
 * As many of the first as `maxWinnerBytes` allow, in the whole group. A receipt has a row's payload twice, a delete's
 * not at all.
 */
export const selectLosers = compileSql<PlanValues, Loser>(value => sql`
  select lost_id as "lostId", w.op, w.clock, w.hlc, w.op_id as "opId", w.created_at as "createdAt",
    case w.op when 'put' then w.payload end as payload
  from (
    select c.op_id as lost_id, w.log_id, w.server_version,
      sum(case w.op when 'put' then 2 * octet_length(w.payload) else 0 end)
        over (order by c.log_id, c.server_version) as bytes
    from json_each(${value('workspaces')}) v cross join logs l on l.workspace_id = v.value
    cross join changes c on c.log_id = l.id and c.server_version > l.head and c.obsoletes = c.server_version
    cross join records r on r.log_id = c.log_id and r.table_name = c.table_name and r.pk = c.pk
    cross join changes w on w.log_id = r.log_id and w.server_version = r.server_version) as lost
  cross join changes w on w.log_id = lost.log_id and w.server_version = lost.server_version
  where lost.bytes <= ${maxWinnerBytes}`)

/** Points each row to its winner. A change of a deleted row, also one that lost, is the newest under its tombstone. */
export const pointRecords = compileSql<PlanValues>(value => sql`
  insert into records (log_id, table_name, pk, server_version, tombstone_version, tombstone_at)
  select c.log_id, c.table_name, c.pk,
    case when c.obsoletes is c.server_version then r.server_version else c.server_version end,
    case when c.obsoletes is c.server_version or c.op = 'delete' then c.server_version end,
    case when c.obsoletes is c.server_version or c.op = 'delete' then c.created_at end
  from json_each(${value('workspaces')}) v cross join logs l on l.workspace_id = v.value
  cross join changes c on c.log_id = l.id and c.server_version > l.head
  left join records r on r.log_id = c.log_id and r.table_name = c.table_name and r.pk = c.pk
  where c.obsoletes is not c.server_version or r.tombstone_version is not null
  on conflict (log_id, table_name, pk) do update
    set server_version = excluded.server_version, tombstone_version = excluded.tombstone_version,
      tombstone_at = excluded.tombstone_at`)

/** Last: from here on the group is part of the log. */
export const moveHeads = compileSql<PlanValues>(value => sql`
  update logs set head = head + new.count, used_rows = used_rows + new.count, used_bytes = used_bytes + new.bytes
  from (
    select c.log_id, count(*) as count, sum(${changeBytes}) as bytes
    from json_each(${value('workspaces')}) v cross join logs l on l.workspace_id = v.value
    cross join changes c on c.log_id = l.id and c.server_version > l.head
    group by c.log_id) as new
  where logs.id = new.log_id and logs.workspace_id in (select value from json_each(${value('workspaces')}))`)
