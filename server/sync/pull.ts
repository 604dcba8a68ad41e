/**
 * A pull: the changes after a cursor, in version order. For HTTP, SQLite makes the answer's JSON text, so that no
 * payload is parsed. A caller in the process gets objects. A member sees all changes but those of rows that belong to
 * another user. Of each key a page brings the greatest change only, unless the request asks for the history. Upholds
 * P3, P5, P8 and P10.
 */
import { type SQL, sql } from 'drizzle-orm'
import { compileSql, type Executor, readRows } from '../database/statement.ts'
import { assertScope, type UserCaller } from './caller.ts'
import type { EngineContext } from './context.ts'
import { isDeferred, releaseDevices } from './deferred-devices.ts'
import { splitTexts } from './json.ts'
import { logOf } from './log.ts'
import { createPartSize } from './part-size.ts'
import { maxAnswerBytes, maxPageTextLength } from '../../shared/limits.ts'
import type { PullRequest, PullResponse, SyncChange, SyncOperation } from '../../shared/protocol.ts'
import { readGreatest, visibleTo } from './page-winners.ts'
import { isEverySyncedTable } from './tables.ts'
import { pullRequest } from '../../shared/shapes.ts'
import { parseRequest } from '../lib/parse-request.ts'
import { createTurns } from '../lib/turns.ts'

/** A page, or a part of it. */
interface Page {
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
   * For `splitTexts`: in text form the changes as JSON; in column form their stamps as JSON, with `payloads` beside.
   */
  changes: string | null
  payloads: string | null
}

/** How an answer's changes are read: as JSON text, or as values. */
interface Form<Item> {
  statements: PageStatements
  /** For a database server, which bounds its answers: SQL ends a page before it is too long. */
  boundedStatements: PageStatements
  toItems: (part: Page) => Item[]
  versionOf: (item: Item) => number
}

type Answer = Omit<PullResponse, 'changes'>

/** The page of changes after the request's cursor. Throws INVALID_REQUEST. */
export async function pull(context: EngineContext, caller: UserCaller, request: PullRequest): Promise<PullResponse> {
  const { items, answer } = await readPage(context, caller, request, inColumns)
  return { changes: items, ...answer }
}

/** The answer of `pull` as JSON text. It also keeps numbers that JavaScript cannot hold. Throws INVALID_REQUEST. */
export async function pullText(context: EngineContext, caller: UserCaller, request: PullRequest): Promise<string> {
  const { items, answer } = await readPage(context, caller, request, asText)
  return `{"changes":[${items.join()}],${JSON.stringify(answer).slice(1)}`
}

/** Reads a page in parts, so that a page of large payloads can end before it has hundreds of megabytes. */
async function readPage<Item>(context: EngineContext, caller: UserCaller, request: PullRequest, form: Form<Item>) {
  const { scope, cursor, limit, tables, history } = parseRequest(pullRequest, request, 'Invalid pull request')
  assertScope(caller, scope)
  const { database } = context
  const isBounded = database.grouped !== null
  const names = tables && [...new Set(tables)]
  const source = chooseSource(names)
  const { workspaceId, userId } = caller
  const values = { workspaceId, userId, tables: names ? JSON.stringify(names) : null, table: names?.[0] ?? null }
  const statement = (isBounded ? form.boundedStatements : form.statements)[source]
  const readParts = async (client: Executor) => {
    const parts: Page[] = []
    const turns = createTurns()
    const partSize = createPartSize(async (after: number, size) => {
      const [part] = await readRows(client, measures[source]({ ...values, cursor: after, limit: size }))
      return part!.bytes
    })
    let [after, rest, textLength] = [cursor, limit, 0]
    for (let isDone = false; !isDone;) {
      const size = isBounded ? rest : await partSize.next(after, rest)
      const part = (await readRows(client, statement({ ...values, cursor: after, limit: size })))[0]!
      parts.push(part)
      after = part.last ?? after
      rest -= part.count
      textLength += (part.changes?.length ?? 0) + (part.payloads?.length ?? 0)
      isDone = part.more === 0 || rest === 0 || textLength >= maxPageTextLength
      if (!isDone) await turns.pause()
    }
    return { client, parts, after }
  }
  const { client, parts, after } = await context.replica.read(workspaceId, cursor, readParts)
  let items = parts.flatMap(form.toItems)
  let { horizon } = parts.at(-1)!
  // A key that is twice in the page has a change there that made one of the page obsolete, be it itself.
  if (!history && parts.some(({ obsoleted }) => (obsoleted ?? 0) > cursor)) {
    const kept = await readGreatest(client, source, { ...values, cursor, last: after })
    items = items.filter(item => kept.versions.has(form.versionOf(item)))
    // Changes that a clean-up dropped between the two reads are left out too: the answer is as of the later one.
    horizon = kept.horizon
  }
  if (parts.at(-1)!.deferred === 1) await releaseDevices(database, caller, cursor < (horizon ?? 0))
  return { items, answer: toAnswer({ ...parts.at(-1)!, horizon }, cursor) }
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

type Stamp = [
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

function toChanges({ changes, payloads }: Page): SyncChange[] {
  const texts = splitTexts(payloads)
  return (JSON.parse(`[${changes ?? ''}]`) as Stamp[]).map((stamp, index) => toChange(stamp, texts[index]!))
}

/** `textStart` stands before the version. */
function versionOfText(text: string): number {
  return Number.parseInt(text.slice(textStart.length, textStart.length + maxVersionDigits))
}

function toChange(
  [serverVersion, tableName, pk, op, deviceId, opId, hlc, clock, hasPayload]: Stamp, payload: string,
): SyncChange {
  const stamp = { deviceId, opId, hlc, clock }
  return hasPayload
    ? { serverVersion, tableName, pk, op, payload: JSON.parse(payload) as unknown, stamp }
    : { serverVersion, tableName, pk, op, stamp }
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
/** `columns` are those of `changes`. */
type Source = (value: Values, columns?: SQL) => { rows: SQL, more: SQL }
type PageStatement = ReturnType<typeof compileSql<PageValues, Page>>

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

/** The ways to read a page's rows in version order, and to ask whether there is one more. */
const sources = {
  all: (value: Values, columns = pageColumns) => afterCursor(value, columns, sql``),
  /** The index on the table gives the order of the page. */
  table: (value: Values, columns = pageColumns) => afterCursor(value, columns, sql`and table_name = ${value('table')}`),
  /** A filter that names every table drops few rows, so each row of the log is checked. */
  filtered: (value: Values, columns = pageColumns) => afterCursor(value, columns, sql`
    and +table_name in (select value from json_each(${value('tables')}))`),
  /** Each table's next versions come from its index: at most `limit` of each table are read. */
  tables: (value: Values, columns = pageColumns) => ({
    rows: sql`
      select ${columns} from (
        select v.value as version from json_each(${value('tables')}) t cross join json_each((
          select json_group_array(server_version) from (
            select server_version from changes
            where log_id = ${logOf(value('workspaceId'))} and table_name = t.value
              and server_version > ${value('cursor')} and ${visibleTo(value('userId'))}
            order by server_version limit ${value('limit')}))) v
        order by version limit ${value('limit')}) as picked
      cross join changes c on c.log_id = ${logOf(value('workspaceId'))} and c.server_version = picked.version`,
    more: sql`
      select 1 from json_each(${value('tables')}) t
      cross join changes c on c.log_id = ${logOf(value('workspaceId'))} and c.table_name = t.value
        and c.server_version > page.last and ${visibleTo(value('userId'))}`,
  }),
} satisfies Record<string, Source>

function afterCursor(value: Values, columns: SQL, filter: SQL) {
  const after = (version: SQL) => sql`from changes where log_id = ${logOf(value('workspaceId'))}
    and server_version > ${version} and ${visibleTo(value('userId'))} ${filter}`
  return {
    rows: sql`select ${columns} ${after(sql`${value('cursor')}`)} order by server_version limit ${value('limit')}`,
    more: sql`select 1 ${after(sql`page.last`)}`,
  }
}

/** The bytes of payloads of the next rows. SQLite takes a length from the row's header and reads no payload. */
const measures = mapSources(source => compileSql<PageValues, { bytes: number }>((name) => {
  const { rows } = source(key => sql`${name(key)}`, sql.raw('octet_length(payload) as bytes'))
  return sql`select coalesce(sum(bytes), 0) as bytes from (${rows}) limit 1`
}))

/** A text may take twice its length in JSON. */
const rowBytes = sql.raw(`coalesce(octet_length(payload), 0) + 200
  + 2 * (octet_length(pk) + octet_length(hlc) + octet_length(device_id) + octet_length(table_name))`)

/** Ends a page before it is too long for a database server. */
function untilFull(rows: SQL): SQL {
  return sql`
    select ${pageColumns} from (
      select ${pageColumns}, ${rowBytes} as bytes, sum(${rowBytes}) over (order by server_version) as bytes_so_far
        from (${rows}))
    where bytes_so_far - bytes < ${sql.raw(String(maxAnswerBytes))} order by server_version`
}

type PageStatements = Record<keyof typeof sources, PageStatement>

const asText: Form<string> = {
  statements: compilePages(changeText, false),
  boundedStatements: compilePages(changeText, true),
  toItems: part => splitTexts(part.changes),
  versionOf: versionOfText,
}
const inColumns: Form<SyncChange> = {
  statements: compilePages(changeColumns, false),
  boundedStatements: compilePages(changeColumns, true),
  toItems: toChanges,
  versionOf: change => change.serverVersion,
}

function compilePages(form: SQL, isBounded: boolean): PageStatements {
  return mapSources(source => compileSql<PageValues, Page>((name) => {
    const value: Values = key => sql`${name(key)}`
    const { rows, more } = source(value)
    const mayHaveMore = isBounded ? sql`1` : sql`page.count = ${value('limit')}`
    return sql`
      select l.head, l.horizon, page.count, page.last, page.obsoleted, page.changes, page.payloads,
        ${mayHaveMore} and exists (${more}) as more, ${isDeferred(value('workspaceId'), value('userId'))} as deferred
      from (
        select count(*) as count, max(server_version) as last, max(obsoletes) as obsoleted, ${form}
        from (${isBounded ? untilFull(rows) : rows})) as page
      left join logs l on l.workspace_id = ${value('workspaceId')}
      limit 1`
  }))
}

function mapSources<T>(map: (source: Source) => T): Record<keyof typeof sources, T> {
  return {
    all: map(sources.all), table: map(sources.table), filtered: map(sources.filtered), tables: map(sources.tables),
  }
}
