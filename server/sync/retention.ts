/**
 * Clean-up. The change log loses only what was superseded, long ago and behind every living device; tombstones go when
 * they are that old, and raise the horizon, behind which a device must take a snapshot. Both read the log once, from
 * where they stopped the last time, in chunks that let other work in between. Upholds P5 and P7.
 */
import { sql } from 'drizzle-orm'
import type { H3Event } from 'h3'
import type { SyncDatabase, WriteTransaction } from '../db/open.ts'
import { nowSeconds } from '../clock.ts'
import { identifyCaller } from './caller.ts'
import type { CleanUpRequest, CleanUpResult } from './gateway/types.ts'
import { cleanUpRequest, parseRequest } from './wire.ts'

/** One chunk holds the writer and the event loop for a few milliseconds. */
const rowsPerChunk = 500

export interface CleanUpOptions {
  /** Stop after so many log rows; the next run goes on there. */
  maxRows?: number
}

/** Drops log rows that another op has superseded; the newest change of every key stays. */
export function gcChangeLog(database: SyncDatabase, event: H3Event, request: CleanUpRequest, options?: CleanUpOptions): Promise<CleanUpResult> {
  return cleanUp(database, event, request, 'log_cleaned_version', dropSuperseded, options)
}

/** Drops tombstones and their log rows, and raises the horizon to the newest of them. */
export function gcTombstones(database: SyncDatabase, event: H3Event, request: CleanUpRequest, options?: CleanUpOptions): Promise<CleanUpResult> {
  return cleanUp(database, event, request, 'tombstones_cleaned_version', dropTombstones, options)
}

type Progress = 'log_cleaned_version' | 'tombstones_cleaned_version'

/** Drops what is due among the versions `from` < v <= `to` and says how many rows that were. */
type Drop = (tx: WriteTransaction, workspaceId: string, from: number, to: number) => Promise<number>

async function cleanUp(database: SyncDatabase, event: H3Event, request: CleanUpRequest, progress: Progress, drop: Drop, { maxRows = Infinity }: CleanUpOptions = {}): Promise<CleanUpResult> {
  const { scope, retentionSeconds } = parseRequest(cleanUpRequest, request, 'Invalid clean-up request')
  const { workspaceId } = identifyCaller(event, scope.workspaceId)
  const cutoff = nowSeconds() - retentionSeconds
  let deleted = 0
  for (let read = 0; ; read += rowsPerChunk) {
    const chunk = await database.write(async (tx) => {
      const { from, to, head, atEnd } = await readChunk(tx, workspaceId, progress, cutoff)
      if (to === from) return { deleted: 0, scannedTo: from, head, atEnd: true }
      const dropped = await drop(tx, workspaceId, from, to)
      await tx.run(sql`update heads set ${sql.raw(progress)} = ${to} where workspace_id = ${workspaceId}`)
      return { deleted: dropped, scannedTo: to, head, atEnd }
    })
    deleted += chunk.deleted
    if (chunk.atEnd || read + rowsPerChunk >= maxRows) {
      return { deleted, scannedTo: chunk.scannedTo, head: chunk.head, done: chunk.atEnd }
    }
  }
}

/** The next versions to look at: old enough, and behind the cursor of every device seen within the retention. */
async function readChunk(tx: WriteTransaction, workspaceId: string, progress: Progress, cutoff: number) {
  const [row] = await tx.all<{ head: number, cleaned: number, bound: number, rows: number, last: number | null, lastOld: number | null }>(sql`
    with counter as (
      select head, ${sql.raw(progress)} as cleaned,
        min(head, coalesce((select min(cursor) from device_cursors where workspace_id = ${workspaceId} and updated_at >= ${cutoff}), head)) as bound
      from heads where workspace_id = ${workspaceId}),
    chunk as (
      select c.server_version, c.created_at from counter
      cross join changes c on c.workspace_id = ${workspaceId} and c.server_version > counter.cleaned and c.server_version <= counter.bound
      order by c.server_version limit ${rowsPerChunk})
    select head, cleaned, bound,
      (select count(*) from chunk) as rows,
      (select max(server_version) from chunk) as last,
      (select max(server_version) from chunk where server_version < coalesce((select min(server_version) from chunk where created_at >= ${cutoff}), server_version + 1)) as "lastOld"
    from counter`)
  if (!row) return { from: 0, to: 0, head: 0, atEnd: true }
  const to = row.lastOld ?? row.cleaned
  return { from: row.cleaned, to, head: row.head, atEnd: row.rows < rowsPerChunk || to !== row.last }
}

const dropSuperseded: Drop = async (tx, workspaceId, from, to) => {
  const { rowsAffected } = await tx.run(sql`
    delete from changes where workspace_id = ${workspaceId} and server_version in (
      select obsoletes from changes
      where workspace_id = ${workspaceId} and server_version > ${from} and server_version <= ${to} and obsoletes is not null)`)
  return rowsAffected
}

const dropTombstones: Drop = async (tx, workspaceId, from, to) => {
  const [due] = await tx.all<{ versions: string, last: number | null, count: number }>(sql`
    select json_group_array(c.server_version) as versions, max(c.server_version) as last, count(*) as count from changes c
    cross join records r on r.workspace_id = ${workspaceId} and r.table_name = c.table_name and r.pk = c.pk and r.server_version = c.server_version
    where c.workspace_id = ${workspaceId} and c.server_version > ${from} and c.server_version <= ${to} and c.op = 'delete'`)
  if (due!.count === 0) return 0
  await tx.run(sql`
    delete from records where workspace_id = ${workspaceId} and (table_name, pk) in (
      select table_name, pk from json_each(${due!.versions}) v cross join changes on workspace_id = ${workspaceId} and server_version = v.value)`)
  await tx.run(sql`delete from changes where workspace_id = ${workspaceId} and server_version in (select value from json_each(${due!.versions}))`)
  await tx.run(sql`update heads set horizon = max(horizon, ${due!.last}) where workspace_id = ${workspaceId}`)
  return due!.count
}
