/**
 * A pull: the changes after a cursor, in version order, as ready JSON text made by SQLite, so that over HTTP no payload
 * is parsed. A member sees all changes but those that belong to another user. Upholds P3, P5, P8 and P10.
 */
import { type SQL, sql } from 'drizzle-orm'
import type { H3Event } from 'h3'
import type { SyncDatabase } from '../db/open.ts'
import { parseJson } from '../parse-json.ts'
import { type Caller, identifyCaller } from './caller.ts'
import { release } from './held-devices.ts'
import type { PullRequest, PullResponse } from './gateway/types.ts'
import { isEverySyncedTable } from './tables.ts'
import { parseRequest, pullRequest } from './wire.ts'

interface Page {
  head: number | null
  horizon: number | null
  count: number
  last: number | null
  more: number
  changes: string | null
}

export async function pull(database: SyncDatabase, event: H3Event, request: PullRequest): Promise<PullResponse> {
  return parseJson(await pullText(database, event, request)) as PullResponse
}

/** The answer of `pull` as JSON text. */
export async function pullText(database: SyncDatabase, event: H3Event, request: PullRequest): Promise<string> {
  const { scope, cursor, limit, tables } = parseRequest(pullRequest, request, 'Invalid pull request')
  const caller = identifyCaller(event, scope.workspaceId)
  const { workspaceId } = caller
  const filter = tables === undefined ? null : JSON.stringify([...new Set(tables)])
  const source = filter === null || isEverySyncedTable(tables!)
    ? selectAll(caller, cursor, limit, filter)
    : selectTables(caller, cursor, limit, filter)
  const [row] = await database.read.all<Page>(sql`
    select
      (select head from heads where workspace_id = ${workspaceId}) as head,
      (select horizon from heads where workspace_id = ${workspaceId}) as horizon,
      page.count, page.last, page.changes,
      page.count = ${limit} and ${source.more} as more
    from (select count(*) as count, max(server_version) as last, group_concat(${changeText}) as changes from ${source.page}) as page`)
  release(database, caller, cursor < (row!.horizon ?? 0))
  return toAnswer(row!, cursor)
}

function toAnswer(page: Page, cursor: number): string {
  const head = page.head ?? 0
  const horizon = page.horizon ?? 0
  const hasMore = page.more === 1
  // A page that is not full was read to the head: the cursor also moves over what was left out.
  const nextCursor = hasMore ? page.last! : Math.max(cursor, head)
  // Beyond the head means that an older backup was restored; behind the horizon a delete may have been missed.
  const requiresSnapshot = cursor > head || cursor < horizon
  return `{"changes":[${page.changes ?? ''}],"nextCursor":${nextCursor},"hasMore":${hasMore},`
    + `"oldestRetainedVersion":${horizon + 1},"requiresSnapshot":${requiresSnapshot}}`
}

/** A `SyncChange` as JSON text; the payload is JSON text already. */
const changeText = sql.raw(`'{"serverVersion":' || server_version || ',"tableName":' || json_quote(table_name)
  || ',"pk":' || json_quote(pk) || ',"op":"' || op || '"'
  || case when payload is null then '' else ',"payload":' || payload end
  || ',"stamp":{"deviceId":' || json_quote(device_id) || ',"opId":"' || op_id || '","hlc":' || json_quote(hlc) || ',"clock":' || clock || '}}'`)

/** Named, because a statement with a `*` is prepared anew each time. */
const pageColumns = sql.raw('server_version, table_name, pk, op, payload, device_id, op_id, hlc, clock')

interface Source {
  /** The page's rows, in version order. */
  page: SQL
  /** Whether there is one more row after the page. */
  more: SQL
}

/** A filter that names every table leaves out no more than what an app no longer syncs: it is looked at row by row. */
function selectAll({ workspaceId, userId }: Caller, cursor: number, limit: number, filter: string | null): Source {
  const inFilter = filter === null ? sql`` : sql`and +table_name in (select value from json_each(${filter}))`
  const after = (version: SQL) => sql`from changes where workspace_id = ${workspaceId} and server_version > ${version} and ${visibleTo(userId)} ${inFilter}`
  return {
    page: sql`(select ${pageColumns} ${after(sql`${cursor}`)} order by server_version limit ${limit})`,
    more: sql`exists (select 1 ${after(sql`page.last`)})`,
  }
}

/** Each table's next versions are sought in its index; no more than `limit` a table are ever looked at. */
function selectTables({ workspaceId, userId }: Caller, cursor: number, limit: number, tables: string): Source {
  return {
    page: sql`(
      select ${pageColumns} from (
        select v.value as version from json_each(${tables}) t cross join json_each((
          select json_group_array(server_version) from (
            select server_version from changes
            where workspace_id = ${workspaceId} and table_name = t.value and server_version > ${cursor} and ${visibleTo(userId)}
            order by server_version limit ${limit}))) v
        order by version limit ${limit}) as picked
      cross join changes c on c.workspace_id = ${workspaceId} and c.server_version = picked.version)`,
    more: sql`exists (
      select 1 from json_each(${tables}) t
      cross join changes c on c.workspace_id = ${workspaceId} and c.table_name = t.value and c.server_version > page.last and ${visibleTo(userId)})`,
  }
}

function visibleTo(userId: string | null): SQL {
  return sql`(owner_user_id is null or owner_user_id = ${userId})`
}
