/** The statements of a pull: each way to read a page, in each form of its changes. Upholds P3, P8 and P10. */
import { type SQL, sql } from 'drizzle-orm'
import { compileSql } from '../database/statement.ts'
import type { SyncOperation } from '../../shared/protocol.ts'
import { isDeferred } from './deferred-devices.ts'
import { fittingRows, rowBytes } from './fitting-rows.ts'
import { logOf } from './log.ts'
import { selectGreatest, type SourceName, visibleTo } from './page-winners.ts'

/** A page, or a part of it. */
export interface Page {
  head: number | null
  horizon: number | null
  count: number
  last: number | null
  more: number
  /** 1 where a device of the user waits to be released. */
  deferred: number
  /** The newest version that a change of the part made obsolete. A losing change makes itself obsolete. */
  obsoleted: number | null
  /**
   * The versions that stay in the part, for `toVersions`: where they are wanted, and one made another of it obsolete.
   */
  greatest: string | null
  /**
   * For `splitTexts`: in text form the changes as JSON; in column form their stamps as JSON, with `payloads` beside.
   */
  changes: string | null
  payloads: string | null
}

/** A change in column form, but for its payload. */
export type Stamp = [
  serverVersion: number,
  tableName: string,
  pk: string,
  op: SyncOperation,
  deviceId: string,
  opId: string,
  hlc: string,
  clock: number,
  hasPayload: 0 | 1,
]

interface PageValues {
  workspaceId: string
  userId: string
  cursor: number
  limit: number
  /** A page ends with the change that takes it beyond. */
  maxBytes: number
  wantsGreatest: 0 | 1
  /** A JSON array. */
  tables: string | null
  table: string | null
}

type Values = (name: keyof PageValues) => SQL
/** `rows` selects `columns` of `changes`, at most `limit` rows. */
type Source = (value: Values) => { rows: (columns: SQL, limit: SQL) => SQL, more: SQL }

const textStart = '{"serverVersion":'
const maxVersionDigits = String(Number.MAX_SAFE_INTEGER).length

/** A `SyncChange` as JSON text. The payload is JSON text already. */
const changeText = sql.raw(`group_concat('${textStart}' || server_version || ',"tableName":' || json_quote(table_name)
  || ',"pk":' || json_quote(pk) || ',"op":"' || op || '"'
  || case when payload is null then '' else ',"payload":' || payload end
  || ',"stamp":{"deviceId":' || json_quote(device_id) || ',"opId":"' || op_id || '","hlc":' || json_quote(hlc)
    || ',"clock":' || clock || '}}', char(30)) as changes,
  null as payloads`)

const changeColumns = sql.raw(`group_concat(json_array(server_version, table_name, pk, op, device_id, op_id, hlc, clock,
  payload is not null)) as changes,
  group_concat(coalesce(payload, 'null'), char(30)) as payloads`)

/** Named, because a statement with a `*` is not kept prepared. */
const pageColumns = sql.raw('server_version, table_name, pk, op, payload, device_id, op_id, hlc, clock, obsoletes')

/** The version of a change in text form. `textStart` stands before it. */
export function versionOfText(text: string): number {
  return Number.parseInt(text.slice(textStart.length, textStart.length + maxVersionDigits))
}

/** The ways to read a page's rows in version order, and to ask whether there is one more. */
const sources = {
  all: (value: Values) => afterCursor(value, sql``),
  /** The index on the table gives the order of the page. */
  table: (value: Values) => afterCursor(value, sql`and table_name = ${value('table')}`),
  /** A filter that names every table drops few rows, so each row of the log is checked. */
  filtered: (value: Values) => afterCursor(value, sql`
    and +table_name in (select value from json_each(${value('tables')}))`),
  /** Each table's next versions come from its index: at most `limit` of each table are read. */
  tables: (value: Values) => ({
    rows: (columns: SQL, limit: SQL) => sql`
      select ${columns} from (
        select v.value as version from json_each(${value('tables')}) t cross join json_each((
          select json_group_array(server_version) from (
            select server_version from changes
            where log_id = ${logOf(value('workspaceId'))} and table_name = t.value
              and server_version > ${value('cursor')} and ${visibleTo(value('userId'))}
            order by server_version limit ${value('limit')}))) v
        order by version limit ${limit}) as picked
      cross join changes c on c.log_id = ${logOf(value('workspaceId'))} and c.server_version = picked.version`,
    more: sql`
      select 1 from json_each(${value('tables')}) t
      cross join changes c on c.log_id = ${logOf(value('workspaceId'))} and c.table_name = t.value
        and c.server_version > page.last and ${visibleTo(value('userId'))}`,
  }),
} satisfies Record<SourceName, Source>

function afterCursor(value: Values, filter: SQL) {
  const after = (version: SQL) => sql`from changes where log_id = ${logOf(value('workspaceId'))}
    and server_version > ${version} and ${visibleTo(value('userId'))} ${filter}`
  return {
    rows: (columns: SQL, limit: SQL) =>
      sql`select ${columns} ${after(sql`${value('cursor')}`)} order by server_version limit ${limit}`,
    more: sql`select 1 ${after(sql`page.last`)}`,
  }
}

/** One for each way to read. */
export type PageStatements = ReturnType<typeof compilePages>

export const textStatements = compilePages(changeText)
export const columnStatements = compilePages(changeColumns)

function compilePages(form: SQL) {
  const compile = (source: SourceName) => compileSql<PageValues, Page>((name) => {
    const value: Values = key => sql`${name(key)}`
    const { rows, more } = sources[source](value)
    const limit = fittingRows(sql`(${rows(rowBytes(), value('limit'))})`, value)
    return sql`
      select l.head, l.horizon, page.count, page.last, page.obsoleted, page.changes, page.payloads,
        iif(${value('wantsGreatest')} and page.obsoleted > ${value('cursor')},
          (${selectGreatest(source, value, sql`page.last`)}), null) as greatest,
        page.count > 0 and exists (${more}) as more, ${isDeferred(value('workspaceId'), value('userId'))} as deferred
      from (
        select count(*) as count, max(server_version) as last, max(obsoletes) as obsoleted, ${form}
        from (${rows(pageColumns, limit)})) as page
      left join logs l on l.workspace_id = ${value('workspaceId')}
      limit 1`
  })
  return {
    all: compile('all'), table: compile('table'), filtered: compile('filtered'), tables: compile('tables'),
  }
}
