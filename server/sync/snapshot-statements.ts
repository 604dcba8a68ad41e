/** The statements of a snapshot, and the winners in what they answer. Upholds P6 and P8. */
import { type Placeholder, type SQL, sql } from 'drizzle-orm'
import { compileSql } from '../database/statement.ts'
import { maxStepsBack } from '../../shared/limits.ts'
import type { SyncOperation } from '../../shared/protocol.ts'
import { splitTexts } from './json.ts'
import { logOf } from './log.ts'
import { fittingRows, rowBytes } from './fitting-rows.ts'

/** A record's winner in the log. */
export interface Winner {
  tableName: string
  pk: string
  serverVersion: number
  op: SyncOperation
  clock: number
  hlc: string
  opId: string
  createdAt: number
  /** In a rewound page: the version of the later winner that this one was rewound from. */
  laterVersion: number
  /** JSON text. */
  payload: string
}

/** A page as two texts, which takes half the time of one row each: the stamps as JSON arrays, the payloads joined. */
interface Texts { stamps: string | null, payloads: string | null }

type Stamp = [
  tableName: string,
  pk: string,
  serverVersion: number,
  op: SyncOperation,
  clock: number,
  hlc: string,
  opId: string,
  createdAt: number,
  laterVersion: number,
]

const stampColumns = 'c.table_name, c.pk, c.server_version, c.op, c.clock, c.hlc, c.op_id, c.created_at'

export interface Key { tableName: string, pk: string }

export interface Counters { head: number, horizon: number, now: number }

export const selectCounters = compileSql<{ workspaceId: string, now: number | null }, Counters>(value => sql`
  select coalesce((select head from logs where workspace_id = ${value('workspaceId')}), 0) as head,
    coalesce((select horizon from logs where workspace_id = ${value('workspaceId')}), 0) as horizon,
    coalesce(${value('now')}, unixepoch()) as now
  limit 1`)

/** `found` of the `limit` rows asked for are there; the texts have those that `maxBytes` allow, at least one. */
export interface RecordTexts extends Texts { found: number }

interface RecordsValues extends Key { workspaceId: string, userId: string, limit: number, maxBytes: number }

export const recordsAfter = compileRecords(value => sql`(r.table_name, r.pk) > (${value('tableName')}, ${value('pk')})`)
export const recordsOfTable = compileRecords(
  value => sql`r.table_name = ${value('tableName')} and r.pk > ${value('pk')}`,
)

function compileRecords(after: (value: (name: keyof RecordsValues) => Placeholder) => SQL) {
  return compileSql<RecordsValues, RecordTexts>((value) => {
    const from = (limit: SQL) => sql`
      from records r
      cross join changes c on c.log_id = r.log_id and c.server_version = r.server_version
      where r.log_id = ${logOf(value('workspaceId'))} and ${after(value)}
        and (c.owner_user_id is null or c.owner_user_id = ${value('userId')})
      order by r.table_name, r.pk limit ${limit}`
    return sql`
      with sizes as materialized (select ${rowBytes('c.')} ${from(sql`${value('limit')}`)})
      select (select count(*) from sizes) as found, ${texts('stamp', 'payload')} from (
        select json_array(${sql.raw(stampColumns)}, 0) as stamp, c.payload as payload
        ${from(fittingRows(sql`sizes`, value))}) as page
      limit 1`
  })
}

function texts(stamp: string, payload: string): SQL {
  return sql.raw(`group_concat(${stamp}) as stamps, group_concat(coalesce(${payload}, 'null'), char(30)) as payloads`)
}

/** The winners of an answer, in its order. */
export function toWinners({ stamps, payloads }: Texts): Winner[] {
  const texts = splitTexts(payloads)
  const rows = JSON.parse(`[${stamps ?? ''}]`) as Stamp[]
  return rows.map(([tableName, pk, serverVersion, op, clock, hlc, opId, createdAt, laterVersion], index) =>
    ({ tableName, pk, serverVersion, op, clock, hlc, opId, createdAt, laterVersion, payload: texts[index]! }))
}

interface ChainValues { workspaceId: string, later: string, highWatermark: number }

/** The changes that later winners are rewound to, and how many changes were read for that. */
export const chainEnds = compileSql<ChainValues, Texts & { steps: number }>((value) => {
  const versionJoin = (version: string) => sql`cross join changes c
    on c.log_id = ${logOf(value('workspaceId'))} and c.server_version = ${sql.raw(version)}`
  return sql`
    with recursive chain (later_version, server_version, obsoletes) as materialized (
      select c.server_version, c.server_version, c.obsoletes
      from json_each(${value('later')}) v ${versionJoin('v.value')}
      union all
      select chain.later_version, c.server_version, c.obsoletes
      from chain ${versionJoin('chain.obsoletes')}
      where chain.server_version > ${value('highWatermark')}
      limit ${maxStepsBack}
    )
    select (select count(*) from chain) as steps,
      ${texts(`json_array(${stampColumns}, chain.later_version)`, 'c.payload')}
    from chain ${versionJoin('chain.server_version')}
    where chain.server_version <= ${value('highWatermark')} or chain.obsoletes is null
    limit 1`
})
