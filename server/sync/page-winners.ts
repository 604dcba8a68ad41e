/**
 * Of each key in a page of a pull the greatest change: the others are left out. Only changes that the caller may see
 * count, and only those of the page. Upholds P5 and P8.
 */
import { type SQL, sql } from 'drizzle-orm'
import { compileSql, type Executor, readRows } from '../database/statement.ts'
import { logOf } from './log.ts'

export interface PageBounds {
  workspaceId: string
  userId: string
  /** The page begins behind it. */
  cursor: number
  /** The page's last version. */
  last: number
  /** The names in a filter of several tables, as a JSON array. */
  tables: string | null
  /** The name in a filter of one table. */
  table: string | null
}

/** The versions that stay in the page, and the horizon when they were read. The log must exist. */
export async function readGreatest(
  read: Executor,
  source: SourceName,
  page: PageBounds,
): Promise<{ versions: Set<number>, horizon: number }> {
  const [row] = await readRows(read, statements[source](page))
  return { versions: toVersions(row!.versions), horizon: row!.horizon }
}

/** What `selectGreatest` selected. */
export function toVersions(greatest: string): Set<number> {
  return new Set(JSON.parse(greatest) as number[])
}

/** A change without an owner is visible to every member. */
export function visibleTo(userId: SQL): SQL {
  return sql`(owner_user_id is null or owner_user_id = ${userId})`
}

type Value = (name: keyof Omit<PageBounds, 'last'>) => SQL
export type SourceName = 'all' | 'table' | 'filtered' | 'tables'

/** As the page's rows are read: each form uses the same index. */
const rowsOf: Record<SourceName, (value: Value, last: SQL) => SQL> = {
  all: (value, last) => sql`changes where ${inPage(value, last)}`,
  table: (value, last) => sql`changes where ${inPage(value, last)} and table_name = ${value('table')}`,
  filtered: (value, last) => sql`
    changes where ${inPage(value, last)} and +table_name in (select value from json_each(${value('tables')}))`,
  tables: (value, last) => sql`
    json_each(${value('tables')}) t cross join changes where ${inPage(value, last)} and table_name = t.value`,
}

/** Selects the versions that stay in the page up to `last`, for `toVersions`. */
export function selectGreatest(source: SourceName, value: Value, last: SQL): SQL {
  return sql`
    select json_group_array(server_version) as versions
    from (
      select server_version,
        row_number() over (partition by table_name, pk order by clock desc, hlc desc, op_id desc) as place
      from ${rowsOf[source](value, last)})
    where place = 1`
}

const statements = {
  all: compileGreatest('all'),
  table: compileGreatest('table'),
  filtered: compileGreatest('filtered'),
  tables: compileGreatest('tables'),
}

function compileGreatest(source: SourceName) {
  return compileSql<PageBounds, { horizon: number, versions: string }>((name) => {
    const greatest = selectGreatest(source, key => sql`${name(key)}`, sql`${name('last')}`)
    return sql`
      select l.horizon, page.versions
      from (${greatest}) as page
      cross join logs l on l.workspace_id = ${name('workspaceId')}
      limit 1`
  })
}

function inPage(value: Value, last: SQL): SQL {
  return sql`log_id = ${logOf(value('workspaceId'))} and server_version > ${value('cursor')}
    and server_version <= ${last} and ${visibleTo(value('userId'))}`
}
