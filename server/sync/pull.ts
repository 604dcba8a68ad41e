/**
 * A pull: the changes after a cursor, in version order. For HTTP, SQLite makes the answer's JSON text, so that no payload
 * is parsed. A caller in the process gets objects. A member sees all changes but those of rows that belong to another
 * user. Upholds P3, P5, P8 and P10.
 */
import { type SQL, sql } from 'drizzle-orm'
import { compileSql, readRows } from '../database/statement.ts'
import { assertScope, type UserCaller } from './caller.ts'
import type { EngineContext } from './context.ts'
import { splitTexts } from './json.ts'
import { logOf } from './log.ts'
import { maxPageTextLength, maxRowsPerRead } from '../../shared/limits.ts'
import type { PullRequest, PullResponse, SyncChange, SyncOperation } from '../../shared/protocol.ts'
import { isEverySyncedTable } from './tables.ts'
import { pullRequest } from '../../shared/shapes.ts'
import { parseRequest } from '../lib/parse-request.ts'

/** A page, or a part of it. */
interface Page {
  head: number | null
  horizon: number | null
  count: number
  last: number | null
  more: number
  /** In text form the changes as JSON; in column form their stamps as JSON, with `payloads` beside for `splitTexts`. */
  changes: string | null
  payloads: string | null
}

type Answer = Omit<PullResponse, 'changes'>

/** The page of changes after the request's cursor. Throws INVALID_REQUEST. */
export async function pull(context: EngineContext, caller: UserCaller, request: PullRequest): Promise<PullResponse> {
  const { parts, answer } = await readPage(context, caller, request, inColumns)
  return { changes: parts.flatMap(toChanges), ...answer }
}

/** The answer of `pull` as JSON text. It also keeps numbers that JavaScript cannot hold. */
export async function pullText(context: EngineContext, caller: UserCaller, request: PullRequest): Promise<string> {
  const { parts, answer } = await readPage(context, caller, request, asText)
  const changes = parts.map(part => part.changes).filter(text => text !== null)
  return `{"changes":[${changes.join()}],${JSON.stringify(answer).slice(1)}`
}

/** Reads a page in parts, so that a page of large payloads can end before it has hundreds of megabytes. */
async function readPage({ database, deferredDevices }: EngineContext, caller: UserCaller, request: PullRequest, statements: Record<keyof typeof sources, PageStatement>) {
  const { scope, cursor, limit, tables } = parseRequest(pullRequest, request, 'Invalid pull request')
  assertScope(caller, scope)
  const names = tables && [...new Set(tables)]
  const statement = statements[chooseSource(names)]
  const { workspaceId, userId } = caller
  const values = { workspaceId, userId, tables: names ? JSON.stringify(names) : null, table: names?.[0] ?? null }
  const parts: Page[] = []
  let [after, rest, textLength] = [cursor, limit, 0]
  for (;;) {
    const [row] = await readRows(database.read.$client, statement({ ...values, cursor: after, limit: Math.min(rest, maxRowsPerRead) }))
    const part = row!
    parts.push(part)
    after = part.last ?? after
    rest -= part.count
    textLength += (part.changes?.length ?? 0) + (part.payloads?.length ?? 0)
    if (part.more === 1 && rest > 0 && textLength < maxPageTextLength) continue
    deferredDevices.release(caller, cursor < (part.horizon ?? 0))
    return { parts, answer: toAnswer(part, cursor) }
  }
}

function chooseSource(names: readonly string[] | undefined): keyof typeof sources {
  if (names === undefined) return 'all'
  if (names.length === 1) return 'table'
  return isEverySyncedTable(names) ? 'filtered' : 'tables'
}

function toAnswer(page: Page, cursor: number): Answer {
  const head = page.head ?? 0
  const horizon = page.horizon ?? 0
  const hasMore = page.more === 1
  return {
    // A page that is not full was read up to the head, so the cursor also moves over changes that a filter left out.
    nextCursor: hasMore ? page.last! : Math.max(cursor, head),
    hasMore,
    oldestRetainedVersion: horizon + 1,
    // Beyond the head: an older backup was restored. Behind the horizon: the device may have missed a delete.
    requiresSnapshot: cursor > head || cursor < horizon,
  }
}

type Stamp = [serverVersion: number, tableName: string, pk: string, op: SyncOperation, deviceId: string, opId: string, hlc: string, clock: number, hasPayload: 0 | 1]

function toChanges({ changes, payloads }: Page): SyncChange[] {
  const texts = splitTexts(payloads)
  return (JSON.parse(`[${changes ?? ''}]`) as Stamp[]).map((stamp, index) => toChange(stamp, texts[index]!))
}

function toChange([serverVersion, tableName, pk, op, deviceId, opId, hlc, clock, hasPayload]: Stamp, payload: string): SyncChange {
  const stamp = { deviceId, opId, hlc, clock }
  return hasPayload ? { serverVersion, tableName, pk, op, payload: JSON.parse(payload) as unknown, stamp } : { serverVersion, tableName, pk, op, stamp }
}

interface PageValues {
  workspaceId: string
  userId: string
  cursor: number
  limit: number
  /** A JSON array. */
  tables: string | null
  table: string | null
}

type Values = (name: keyof PageValues) => SQL
type PageStatement = ReturnType<typeof compileSql<PageValues, Page>>

/** A `SyncChange` as JSON text. The payload is JSON text already. */
const changeText = sql.raw(`group_concat('{"serverVersion":' || server_version || ',"tableName":' || json_quote(table_name)
  || ',"pk":' || json_quote(pk) || ',"op":"' || op || '"'
  || case when payload is null then '' else ',"payload":' || payload end
  || ',"stamp":{"deviceId":' || json_quote(device_id) || ',"opId":"' || op_id || '","hlc":' || json_quote(hlc) || ',"clock":' || clock || '}}') as changes,
  null as payloads`)

const changeColumns = sql.raw(`group_concat(json_array(server_version, table_name, pk, op, device_id, op_id, hlc, clock, payload is not null)) as changes,
  group_concat(coalesce(payload, 'null'), char(30)) as payloads`)

/** Named, because a statement with a `*` is not kept prepared. */
const pageColumns = sql.raw('server_version, table_name, pk, op, payload, device_id, op_id, hlc, clock')

/** The ways to read a page's rows in version order, and to ask whether there is one more. */
const sources = {
  all: (value: Values) => afterCursor(value, sql``),
  /** The index on the table gives the order of the page. */
  table: (value: Values) => afterCursor(value, sql`and table_name = ${value('table')}`),
  /** A filter that names every table drops few rows, so each row of the log is checked. */
  filtered: (value: Values) => afterCursor(value, sql`and +table_name in (select value from json_each(${value('tables')}))`),
  /** Each table's next versions come from its index: at most `limit` of each table are read. */
  tables: (value: Values) => ({
    rows: sql`
      select ${pageColumns} from (
        select v.value as version from json_each(${value('tables')}) t cross join json_each((
          select json_group_array(server_version) from (
            select server_version from changes
            where log_id = ${logOf(value('workspaceId'))} and table_name = t.value and server_version > ${value('cursor')} and ${visible(value)}
            order by server_version limit ${value('limit')}))) v
        order by version limit ${value('limit')}) as picked
      cross join changes c on c.log_id = ${logOf(value('workspaceId'))} and c.server_version = picked.version`,
    more: sql`
      select 1 from json_each(${value('tables')}) t
      cross join changes c on c.log_id = ${logOf(value('workspaceId'))} and c.table_name = t.value and c.server_version > page.last and ${visible(value)}`,
  }),
}

function afterCursor(value: Values, filter: SQL) {
  const after = (version: SQL) => sql`from changes where log_id = ${logOf(value('workspaceId'))} and server_version > ${version} and ${visible(value)} ${filter}`
  return {
    rows: sql`select ${pageColumns} ${after(sql`${value('cursor')}`)} order by server_version limit ${value('limit')}`,
    more: sql`select 1 ${after(sql`page.last`)}`,
  }
}

function visible(value: Values): SQL {
  return sql`(owner_user_id is null or owner_user_id = ${value('userId')})`
}

const asText = compilePages(changeText)
const inColumns = compilePages(changeColumns)

function compilePages(form: SQL): Record<keyof typeof sources, PageStatement> {
  const compile = (source: typeof sources.all) => compileSql<PageValues, Page>((name) => {
    const value: Values = key => sql`${name(key)}`
    const { rows, more } = source(value)
    return sql`
      select l.head, l.horizon, page.count, page.last, page.changes, page.payloads, page.count = ${value('limit')} and exists (${more}) as more
      from (select count(*) as count, max(server_version) as last, ${form} from (${rows})) as page
      left join logs l on l.workspace_id = ${value('workspaceId')}
      limit 1`
  })
  return { all: compile(sources.all), table: compile(sources.table), filtered: compile(sources.filtered), tables: compile(sources.tables) }
}
