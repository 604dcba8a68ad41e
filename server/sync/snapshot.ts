/**
 * A snapshot: every row and tombstone once, in (tableName, pk) order, as of the head when its first page was read.
 * Nothing is copied: a page reads the records as they are now, and where a key has changed since, follows what its
 * winner made obsolete back to the watermark. Upholds P6 and P8.
 */
import { randomUUID } from 'node:crypto'
import { type SQL, sql } from 'drizzle-orm'
import type { H3Event } from 'h3'
import type { SyncDatabase } from '../db/open.ts'
import { fail } from '../errors.ts'
import { parseJson } from '../parse-json.ts'
import { identifyCaller } from './caller.ts'
import type { SnapshotItem, SnapshotRequest, SnapshotResponse, SyncOperation } from './gateway/types.ts'
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

/** Throws 400 for a forged token, 403 for one of another workspace or user, 410 for one that is too old. */
export async function snapshot(database: SyncDatabase, event: H3Event, request: SnapshotRequest): Promise<SnapshotResponse> {
  const { scope, pageSize, pageToken, tables } = parseRequest(snapshotRequest, request, 'Invalid snapshot request')
  const caller = identifyCaller(event, scope.workspaceId)
  const head = await readHead(database, caller.workspaceId)
  const filter = tables === undefined ? null : JSON.stringify([...new Set(tables)].sort())
  const position = pageToken === undefined
    ? { snapshotId: randomUUID(), highWatermark: head, filter, tableName: '', pk: '' }
    : await readSnapshotToken(database, caller, pageToken, filter)
  if (position.highWatermark > head) throw fail('SNAPSHOT_EXPIRED', 'The snapshot is of a later state than the server now has: start over without a pageToken')

  const records = await readRecords(database, caller.workspaceId, position, pageSize + 1)
  const page = records.slice(0, pageSize)
  const last = page.at(-1)
  return {
    workspaceId: caller.workspaceId,
    snapshotId: position.snapshotId,
    highWatermark: position.highWatermark,
    items: (await rewind(database, caller.workspaceId, page, position.highWatermark))
      .filter(winner => winner.ownerUserId === null || winner.ownerUserId === caller.userId)
      .map(toItem),
    nextPageToken: records.length > pageSize && last
      ? await writeSnapshotToken(database, caller, { ...position, tableName: last.tableName, pk: last.pk })
      : null,
  }
}

async function readHead(database: SyncDatabase, workspaceId: string): Promise<number> {
  const [row] = await database.read.all<{ head: number }>(sql`select head from heads where workspace_id = ${workspaceId}`)
  return row?.head ?? 0
}

function readRecords(database: SyncDatabase, workspaceId: string, { tableName, pk, filter }: SnapshotPosition, limit: number): Promise<Winner[]> {
  const inFilter = filter === null ? sql`` : sql`and r.table_name in (select value from json_each(${filter}))`
  return database.read.all<Winner>(sql`
    select ${winnerColumns} from records r
    cross join changes c on c.workspace_id = r.workspace_id and c.server_version = r.server_version
    where r.workspace_id = ${workspaceId} and (r.table_name, r.pk) > (${tableName}, ${pk}) ${inFilter}
    order by r.table_name, r.pk limit ${limit}`)
}

/** Each winner as it was at the watermark; a key that did not exist then is left out. */
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
    where chain.server_version <= ${highWatermark}`)
  const byLater = new Map(earlier.map(winner => [winner.laterVersion, winner]))
  return page.flatMap(winner => winner.serverVersion <= highWatermark ? winner : byLater.get(winner.serverVersion) ?? [])
}

function versionJoin(workspaceId: string, version: SQL): SQL {
  return sql`cross join changes c on c.workspace_id = ${workspaceId} and c.server_version = ${version}`
}

function toItem({ tableName, pk, op, clock, hlc, opId, createdAt, payload }: Winner): SnapshotItem {
  const revision = { clock, hlc, opId }
  return op === 'put'
    ? { kind: 'row', tableName, pk, payload: parseJson(payload ?? 'null'), revision }
    : { kind: 'tombstone', tableName, pk, revision, serverDeletedAt: createdAt }
}
