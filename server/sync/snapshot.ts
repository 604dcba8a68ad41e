/**
 * A snapshot: every row and tombstone once, in (tableName, pk) order, as of the head when its first page was read (the
 * watermark). Nothing is copied. A page reads the current records; a key that changed after the watermark is rewound
 * through the changes that its winner superseded. A clean-up that dropped one of those ends the snapshot.
 * Upholds P6 and P8.
 */
import { randomUUID } from 'node:crypto'
import type { SyncDatabase } from '../database/types.ts'
import { readRows, type Statement } from '../database/statement.ts'
import { createSyncError } from '../errors.ts'
import { parseJson } from '../../shared/parse-json.ts'
import { assertScope, type UserCaller } from './caller.ts'
import type { EngineContext } from './context.ts'
import type { SnapshotItem, SnapshotRequest, SnapshotResponse } from '../../shared/protocol.ts'
import {
  maxAnswerBytes, maxPageTextLength, maxPartBytes, maxRowsPerRead, maxRowsPerRewind, maxStepsBack,
} from '../../shared/limits.ts'
import { compareCodePoints } from '../../shared/revision.ts'
import {
  chainEnds, type Counters, type Key, recordsAfter, recordsOfTable, type RecordTexts, selectCounters, toWinners,
  type Winner,
} from './snapshot-statements.ts'
import { readSnapshotToken, type SnapshotPosition, writeSnapshotToken } from './snapshot-token.ts'
import { snapshotRequest } from '../../shared/shapes.ts'
import { parseRequest } from '../lib/parse-request.ts'
import { createTurns } from '../lib/turns.ts'

/**
 * A page of a snapshot. Throws INVALID_REQUEST for a forged token, FORBIDDEN for a token of another workspace or user,
 * SNAPSHOT_EXPIRED where the snapshot cannot be continued.
 */
export async function snapshot(
  context: EngineContext, caller: UserCaller, request: SnapshotRequest,
): Promise<SnapshotResponse> {
  const { winners, ...answer } = await readAnswer(context, caller, request)
  return { ...answer, items: winners.map(toItem) }
}

/** The answer of `snapshot` as JSON text: payloads leave as they are stored. */
export async function snapshotText(
  context: EngineContext, caller: UserCaller, request: SnapshotRequest,
): Promise<string> {
  const { winners, ...answer } = await readAnswer(context, caller, request)
  return `{"items":[${winners.map(toItemText).join()}],${JSON.stringify(answer).slice(1)}`
}

async function readAnswer(context: EngineContext, caller: UserCaller, request: SnapshotRequest) {
  const { scope, pageSize, pageToken, tables } = parseRequest(snapshotRequest, request, 'Invalid snapshot request')
  assertScope(caller, scope)
  const { workspaceId } = caller
  const filter = tables === undefined ? null : JSON.stringify([...new Set(tables)].sort(compareCodePoints))
  const token = pageToken === undefined ? undefined : await readSnapshotToken(context, caller, pageToken, filter)
  const { expiresAt, ...start } = token ?? {
    snapshotId: randomUUID(), highWatermark: undefined, filter, tableName: '', pk: '', expiresAt: Infinity,
  }
  const { counters: { head, horizon, now }, first } = await readFirst(context.database, caller, start, pageSize)
  const position = { ...start, highWatermark: start.highWatermark ?? head }
  const { snapshotId, highWatermark } = position
  if (expiresAt < now) {
    throw createSyncError('SNAPSHOT_EXPIRED', 'The snapshot has expired: start over without a pageToken')
  }
  if (highWatermark > head) throw expired('it is of a later state than the server now has')
  if (highWatermark < horizon) throw expired('a row it may hold has been deleted and cleaned up since')

  const { winners, next } = await readPage(context.database, caller, position, pageSize, first)
  const nextPageToken = next ? await writeSnapshotToken(context, caller, { ...position, ...next }, now) : null
  return { workspaceId, snapshotId, highWatermark, nextPageToken, winners }
}

/** The counters; from a database server, where each request counts, the page's first records with them. */
async function readFirst(
  database: SyncDatabase, caller: UserCaller, start: Omit<SnapshotPosition, 'highWatermark'>, pageSize: number,
): Promise<{ counters: Counters, first?: RecordTexts | undefined }> {
  const { $client } = database.read
  const counters = selectCounters({ workspaceId: caller.workspaceId, now: database.now() })
  const tables = tablesFrom(start)
  if (database.grouped === null || tables.length === 0) return { counters: (await readRows($client, counters))[0]! }
  const [table] = tables
  const limit = Math.min(pageSize, maxRowsPerRead) + 1
  const results = await $client.batch([counters, selectRecords(database, caller, table, keyIn(table, start), limit)])
  const [found, first] = results.map(({ rows }) => rows[0] as unknown)
  return { counters: found as Counters, first: first as RecordTexts }
}

/**
 * The next winners in key order, as they were at the watermark, read in parts as a pull is. `next` is the last key
 * read, where there are more.
 */
async function readPage(
  database: SyncDatabase, caller: UserCaller, position: SnapshotPosition, pageSize: number, first?: RecordTexts,
) {
  const winners: Winner[] = []
  let [rest, textLength, steps] = [pageSize, 0, 0]
  const isFull = () => rest === 0 || textLength >= maxPageTextLength || steps >= maxStepsBack
  let last: Key | undefined
  const turns = createTurns()
  for (const table of tablesFrom(position)) {
    let after = keyIn(table, position)
    for (let hasRest = true; hasRest;) {
      // A full page only asks whether another table has more.
      const wanted = isFull() ? 0 : Math.min(rest, maxRowsPerRead)
      const records = first
        ?? (await readRows(database.read.$client, selectRecords(database, caller, table, after, wanted + 1)))[0]!
      first = undefined
      const part = toWinners(records).slice(0, wanted)
      const rewound = await rewind(database, caller.workspaceId, part, position.highWatermark)
      winners.push(...rewound.winners)
      textLength += rewound.winners.reduce((sum, winner) => sum + winner.payload.length, 0)
      steps += rewound.steps
      rest -= part.length
      const key = part.at(-1)
      if (key) after = last = { tableName: key.tableName, pk: key.pk }
      hasRest = records.found > part.length
      if (hasRest && isFull()) return { winners, next: last }
      await turns.pause()
    }
  }
  return { winners, next: undefined }
}

/** The tables of the filter from the position on; one `undefined` where there is no filter. */
function tablesFrom({ filter, tableName }: Pick<SnapshotPosition, 'filter' | 'tableName'>): (string | undefined)[] {
  return filter === null
    ? [undefined]
    : (JSON.parse(filter) as string[]).filter(table => compareCodePoints(table, tableName) >= 0)
}

/** After which key the page goes on in a table. */
function keyIn(table: string | undefined, position: Key): Key {
  return table === undefined || table === position.tableName ? position : { tableName: table, pk: '' }
}

/** The records after a key, of one table or of all. */
function selectRecords(
  database: SyncDatabase, { workspaceId, userId }: UserCaller, table: string | undefined, after: Key, limit: number,
): Statement<RecordTexts> {
  const statement = table === undefined ? recordsAfter : recordsOfTable
  const maxBytes = database.grouped ? maxAnswerBytes : maxPartBytes
  return statement({ workspaceId, userId, tableName: after.tableName, pk: after.pk, limit, maxBytes })
}

/**
 * Each winner as it was at the watermark, and the number of changes read for that. A key that did not exist then is
 * left out. Throws SNAPSHOT_EXPIRED where a change is gone or too many lie between.
 */
async function rewind(
  database: SyncDatabase, workspaceId: string, page: readonly Winner[], highWatermark: number,
): Promise<{ winners: Winner[], steps: number }> {
  const later = page.filter(winner => winner.serverVersion > highWatermark).map(winner => winner.serverVersion)
  if (later.length === 0) return { winners: [...page], steps: 0 }
  const byLater = new Map<number, Winner>()
  const turns = createTurns()
  let steps = 0
  for (let from = 0; from < later.length && steps < maxStepsBack; from += maxRowsPerRewind) {
    const part = JSON.stringify(later.slice(from, from + maxRowsPerRewind))
    const [found] = await readRows(database.read.$client, chainEnds({ workspaceId, later: part, highWatermark }))
    // A complete chain ends at or before the watermark, or with the first change of its key.
    for (const winner of toWinners(found!)) byLater.set(winner.laterVersion, winner)
    steps += found!.steps
    await turns.pause()
  }
  const winners = page.flatMap((winner) => {
    if (winner.serverVersion <= highWatermark) return winner
    const last = byLater.get(winner.serverVersion)
    if (!last) throw expired('what it holds has been cleaned up since, or changed too often')
    return last.serverVersion <= highWatermark ? last : []
  })
  return { winners, steps }
}

function expired(why: string) {
  return createSyncError(
    'SNAPSHOT_EXPIRED', `The snapshot cannot be continued, since ${why}: start over without a pageToken`,
  )
}

function toItem({ tableName, pk, op, clock, hlc, opId, createdAt, payload }: Winner): SnapshotItem {
  const revision = { clock, hlc, opId }
  return op === 'put'
    ? { kind: 'row', tableName, pk, payload: parseJson(payload), revision }
    : { kind: 'tombstone', tableName, pk, revision, serverDeletedAt: createdAt }
}

function toItemText({ tableName, pk, op, clock, hlc, opId, createdAt, payload }: Winner): string {
  const key = `"tableName":${JSON.stringify(tableName)},"pk":${JSON.stringify(pk)}`
  const revision = `"revision":${JSON.stringify({ clock, hlc, opId })}`
  return op === 'put'
    ? `{"kind":"row",${key},"payload":${payload},${revision}}`
    : `{"kind":"tombstone",${key},${revision},"serverDeletedAt":${createdAt}}`
}
