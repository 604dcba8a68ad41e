/**
 * A snapshot: every row and tombstone once, in (tableName, pk) order, as of the head when its first page was read.
 * Nothing is copied: a page reads the records as they are now, and where a key has changed since, follows what its
 * winner made obsolete back to the watermark. What a clean-up has dropped meanwhile ends it. Upholds P6 and P8.
 */
import { randomUUID } from 'node:crypto'
import { type SQL, sql } from 'drizzle-orm'
import type { H3Event } from 'h3'
import type { SyncDatabase } from '../db/open.ts'
import { fail } from '../errors.ts'
import { parseJson } from '../parse-json.ts'
import { type Caller, identifyCaller } from './caller.ts'
import type { SnapshotItem, SnapshotRequest, SnapshotResponse, SyncOperation } from './gateway/types.ts'
import { compareCodePoints } from './revision.ts'
import { readSnapshotToken, type SnapshotPosition, writeSnapshotToken } from './snapshot-token.ts'
import { parseRequest, snapshotRequest } from './wire.ts'

/** A record with the log row that is its winner. */
interface Winner {
  tableName: string
  pk: string
  serverVersion: number
  op: SyncOperation
  clock: number
  hlc: string
  opId: string
  ownerUserId: string | null
  createdAt: number
  payload: string | null
}

const winnerColumns = sql.raw(`c.table_name as "tableName", c.pk as pk, c.server_version as "serverVersion", c.op as op, c.clock as clock,
  c.hlc as hlc, c.op_id as "opId", c.owner_user_id as "ownerUserId", c.created_at as "createdAt", c.payload as payload`)

/** Throws 400 for a forged token, 403 for one of another workspace or user, 410 where the snapshot cannot be continued. */
export async function snapshot(database: SyncDatabase, event: H3Event, request: SnapshotRequest): Promise<SnapshotResponse> {
  const { scope, pageSize, pageToken, tables } = parseRequest(snapshotRequest, request, 'Invalid snapshot request')
  const caller = identifyCaller(event, scope.workspaceId)
  const { head, horizon } = await readCounters(database, caller.workspaceId)
  const filter = tables === undefined ? null : JSON.stringify([...new Set(tables)].sort(compareCodePoints))
  const position = pageToken === undefined
    ? { snapshotId: randomUUID(), highWatermark: head, filter, tableName: '', pk: '' }
    : await readSnapshotToken(database, caller, pageToken, filter)
  if (position.highWatermark > head) throw expired('it is of a later state than the server now has')
  if (position.highWatermark < horizon) throw expired('a row it may hold has been deleted and cleaned up since')

  const records = await readRecords(database, caller, position, pageSize + 1)
  const page = records.slice(0, pageSize)
  const last = page.at(-1)
  return {
    workspaceId: caller.workspaceId,
    snapshotId: position.snapshotId,
    highWatermark: position.highWatermark,
    items: (await rewind(database, caller.workspaceId, page, position.highWatermark)).map(toItem),
    nextPageToken: records.length > pageSize && last
      ? await writeSnapshotToken(database, caller, { ...position, tableName: last.tableName, pk: last.pk })
      : null,
  }
}

async function readCounters(database: SyncDatabase, workspaceId: string): Promise<{ head: number, horizon: number }> {
  const [row] = await database.read.all<{ head: number, horizon: number }>(sql`select head, horizon from heads where workspace_id = ${workspaceId}`)
  return row ?? { head: 0, horizon: 0 }
}

/** The next winners after the position that the caller may see, in key order. */
async function readRecords(database: SyncDatabase, caller: Caller, { tableName, pk, filter }: SnapshotPosition, limit: number): Promise<Winner[]> {
  const after = (condition: SQL, count: number) => database.read.all<Winner>(sql`
    select ${winnerColumns} from records r
    cross join changes c on c.workspace_id = r.workspace_id and c.server_version = r.server_version
    where r.workspace_id = ${caller.workspaceId} and ${condition} and (c.owner_user_id is null or c.owner_user_id = ${caller.userId})
    order by r.table_name, r.pk limit ${count}`)
  if (filter === null) return after(sql`(r.table_name, r.pk) > (${tableName}, ${pk})`, limit)

  const records: Winner[] = []
  for (const table of JSON.parse(filter) as string[]) {
    const order = compareCodePoints(table, tableName)
    if (order < 0) continue
    records.push(...await after(sql`r.table_name = ${table} and r.pk > ${order === 0 ? pk : ''}`, limit - records.length))
    if (records.length === limit) break
  }
  return records
}

/** Each winner as it was at the watermark; a key that did not exist then is left out. Throws 410 where that is not known any more. */
async function rewind(database: SyncDatabase, workspaceId: string, page: readonly Winner[], highWatermark: number): Promise<Winner[]> {
  const later = page.filter(winner => winner.serverVersion > highWatermark).map(winner => winner.serverVersion)
  if (later.length === 0) return [...page]
  const earlier = await database.read.all<Winner & { laterVersion: number }>(sql`
    with recursive chain (later_version, server_version, obsoletes) as (
      select c.server_version, c.server_version, c.obsoletes
      from json_each(${JSON.stringify(later)}) v ${versionJoin(workspaceId, sql`v.value`)}
      union all
      select chain.later_version, c.server_version, c.obsoletes
      from chain ${versionJoin(workspaceId, sql`chain.obsoletes`)}
      where chain.server_version > ${highWatermark}
    )
    select chain.later_version as "laterVersion", ${winnerColumns}
    from chain ${versionJoin(workspaceId, sql`chain.server_version`)}
    where chain.server_version <= ${highWatermark} or chain.obsoletes is null`)
  // A chain that is whole ends at or before the watermark, or with the first change of its key.
  const byLater = new Map(earlier.map(winner => [winner.laterVersion, winner]))
  return page.flatMap((winner) => {
    if (winner.serverVersion <= highWatermark) return winner
    const last = byLater.get(winner.serverVersion)
    if (!last) throw expired('what it holds has been cleaned up since')
    return last.serverVersion <= highWatermark ? last : []
  })
}

function versionJoin(workspaceId: string, version: SQL): SQL {
  return sql`cross join changes c on c.workspace_id = ${workspaceId} and c.server_version = ${version}`
}

function expired(why: string) {
  return fail('SNAPSHOT_EXPIRED', `The snapshot cannot be continued, since ${why}: start over without a pageToken`)
}

function toItem({ tableName, pk, op, clock, hlc, opId, createdAt, payload }: Winner): SnapshotItem {
  const revision = { clock, hlc, opId }
  return op === 'put'
    ? { kind: 'row', tableName, pk, payload: parseJson(payload ?? 'null'), revision }
    : { kind: 'tombstone', tableName, pk, revision, serverDeletedAt: createdAt }
}
