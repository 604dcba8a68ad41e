/**
 * A pull: the changes after a cursor, in version order. For HTTP, SQLite makes the answer's JSON text, so that no
 * payload is parsed. A caller in the process gets objects. A member sees all changes but those of rows that belong to
 * another user. Of each key a page brings the greatest change only, unless the request asks for the history. Upholds
 * P3, P5, P8 and P10.
 */
import { type Executor, readRows } from '../database/statement.ts'
import { assertScope, type UserCaller } from './caller.ts'
import type { EngineContext } from './context.ts'
import { releaseDevices } from './deferred-devices.ts'
import { splitTexts } from './json.ts'
import { maxAnswerBytes, maxPageTextLength, maxPartBytes, maxRowsPerRead } from '../../shared/limits.ts'
import type { PullRequest, PullResponse, SyncChange } from '../../shared/protocol.ts'
import { readGreatest, type SourceName, toVersions } from './page-winners.ts'
import {
  columnStatements, type Page, type PageStatements, type Stamp, textStatements, versionOfText,
} from './pull-statements.ts'
import { isEverySyncedTable } from './tables.ts'
import { pullRequest } from '../../shared/shapes.ts'
import { parseRequest } from '../lib/parse-request.ts'
import { createTurns } from '../lib/turns.ts'

/** How an answer's changes are read: as JSON text, or as values. */
interface Form<Item> {
  statements: PageStatements
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
  // Each request to a database server counts: it reads as much at once as fits into one of its answers.
  const [maxRows, maxBytes] = database.grouped ? [limit, maxAnswerBytes] : [maxRowsPerRead, maxPartBytes]
  const names = tables && [...new Set(tables)]
  const source = chooseSource(names)
  const { workspaceId, userId } = caller
  const values = {
    workspaceId, userId, tables: names ? JSON.stringify(names) : null, table: names?.[0] ?? null, maxBytes,
  }
  const statement = form.statements[source]
  const readParts = async (client: Executor) => {
    const parts: Page[] = []
    const turns = createTurns()
    let [after, rest, textLength] = [cursor, limit, 0]
    for (let isDone = false; !isDone;) {
      const wanted = Math.min(rest, maxRows)
      // Only of a page of one part: what others supersede is known when all are read.
      const wantsGreatest = !history && parts.length === 0 ? 1 : 0
      const part = (await readRows(client, statement({ ...values, cursor: after, limit: wanted, wantsGreatest })))[0]!
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
  // Where a key has two changes in the page, at least one of them is obsolete, and `obsoleted` tells so.
  if (!history && parts.some(({ obsoleted }) => (obsoleted ?? 0) > cursor)) {
    const [{ greatest }] = parts as [Page]
    const kept = parts.length === 1 && greatest !== null
      ? { versions: toVersions(greatest), horizon }
      : await readGreatest(client, source, { ...values, cursor, last: after })
    items = items.filter(item => kept.versions.has(form.versionOf(item)))
    // Changes that a clean-up dropped between two reads are left out too: the answer is as of the later one.
    horizon = kept.horizon
  }
  if (parts.at(-1)!.deferred === 1) await releaseDevices(database, caller, cursor < (horizon ?? 0))
  return { items, answer: toAnswer({ ...parts.at(-1)!, horizon }, cursor) }
}

function chooseSource(names: readonly string[] | undefined): SourceName {
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

function toChanges({ changes, payloads }: Page): SyncChange[] {
  const texts = splitTexts(payloads)
  return (JSON.parse(`[${changes ?? ''}]`) as Stamp[]).map((stamp, index) => toChange(stamp, texts[index]!))
}

function toChange(
  [serverVersion, tableName, pk, op, deviceId, opId, hlc, clock, hasPayload]: Stamp, payload: string,
): SyncChange {
  const stamp = { deviceId, opId, hlc, clock }
  return hasPayload
    ? { serverVersion, tableName, pk, op, payload: JSON.parse(payload) as unknown, stamp }
    : { serverVersion, tableName, pk, op, stamp }
}

const asText: Form<string> = {
  statements: textStatements,
  toItems: part => splitTexts(part.changes),
  versionOf: versionOfText,
}
const inColumns: Form<SyncChange> = {
  statements: columnStatements,
  toItems: toChanges,
  versionOf: change => change.serverVersion,
}
