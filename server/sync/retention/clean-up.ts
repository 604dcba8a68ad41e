/**
 * The clean-up of one workspace. It drops a change only if the change is superseded, older than the retention, and
 * behind the cursor of every living device. It drops a tombstone of that age once no other change of its key is left;
 * that raises the horizon, behind which a device must take a snapshot. Each run goes on where the last one stopped, in
 * chunks that let other writes in between. Upholds P5 and P7.
 */
import { type SQL, sql } from 'drizzle-orm'
import { readNow } from '../../database/read-now.ts'
import type { SyncDatabase, WriteTransaction } from '../../database/types.ts'
import { assertScope, type Caller } from '../caller.ts'
import type { CleanUpRequest, CleanUpResult } from '../../../shared/protocol.ts'
import { logOf } from '../log.ts'
import { changeBytes } from '../quota.ts'
import { cursorLifeSeconds } from '../../../shared/limits.ts'
import { cleanUpRequest } from '../../../shared/shapes.ts'
import { parseRequest } from '../../lib/parse-request.ts'

/** One chunk holds the writer and the event loop for a few milliseconds. */
const rowsPerChunk = 250

export interface CleanUpOptions {
  /** Stop after this many rows were read; the next run goes on there. */
  maxRows?: number
}

/** Drops superseded changes; the newest change of every key stays. */
export async function gcChangeLog(
  database: SyncDatabase, caller: Caller, request: CleanUpRequest, { maxRows = Infinity }: CleanUpOptions = {},
): Promise<CleanUpResult> {
  const run = await startRun(database, caller, request, maxRows)
  await cleanLog(database, run)
  return run.result
}

/** Drops superseded changes and old tombstones, and raises the horizon to the newest tombstone dropped. */
export async function gcTombstones(
  database: SyncDatabase, caller: Caller, request: CleanUpRequest, { maxRows = Infinity }: CleanUpOptions = {},
): Promise<CleanUpResult> {
  const run = await startRun(database, caller, request, maxRows)
  // First the log: a put left behind by its tombstone would bring the row back for a pull from 0.
  await cleanLog(database, run)
  await dropTombstones(database, run)
  return run.result
}

interface Run {
  workspaceId: string
  /** Epoch seconds: what is older may be dropped. */
  cutoff: number
  rowsLeft: number
  /** The slowest cursor of a living device as the run began; cursors only move forward. */
  slowest: number
  result: CleanUpResult
}

async function startRun(
  database: SyncDatabase, caller: Caller, request: CleanUpRequest, rowsLeft: number,
): Promise<Run> {
  const { scope, retentionSeconds } = parseRequest(cleanUpRequest, request, 'Invalid clean-up request')
  assertScope(caller, scope)
  const { workspaceId } = caller
  const now = await readNow(database)
  const cutoff = now - retentionSeconds
  const slowest = await database.write(async (tx) => {
    // A cursor behind the horizon tells a returning device apart from a new one (P7), so it stays beyond the retention.
    await tx.run(sql`
      delete from device_cursors where workspace_id = ${workspaceId} and updated_at < ${now - cursorLifeSeconds}`)
    // Only a device with a cursor is deferred: what a dropped cursor left would stay for ever.
    await tx.run(sql`
      delete from deferred_devices where workspace_id = ${workspaceId} and not exists (
        select 1 from device_cursors c where c.workspace_id = deferred_devices.workspace_id
          and c.user_id = deferred_devices.user_id and c.device_id = deferred_devices.device_id)`)
    return readSlowestCursor(tx, workspaceId, cutoff)
  })
  return {
    workspaceId, rowsLeft, cutoff, slowest,
    result: { droppedChanges: 0, droppedTombstones: 0, cleanedVersion: 0, head: 0, done: false },
  }
}

/** Reads on in the log and drops the changes that its rows superseded. */
async function cleanLog(database: SyncDatabase, run: Run): Promise<void> {
  const { workspaceId, result } = run
  do {
    const chunk = await database.write(async (tx) => {
      const { from, to, head, rows } = await readChunk(tx, run)
      const dropped = to > from ? await dropObsolete(tx, workspaceId, from, to) : 0
      return { to, head, rows, dropped }
    })
    run.rowsLeft -= chunk.rows
    result.droppedChanges += chunk.dropped
    result.cleanedVersion = chunk.to
    result.head = chunk.head
    result.done = chunk.rows < rowsPerChunk
  } while (!result.done && run.rowsLeft > 0)
}

/** The next versions to read: old enough, and behind the cursor of every device seen within the retention. */
async function readChunk(tx: WriteTransaction, { workspaceId, cutoff, slowest }: Run) {
  const [row] = await tx.all<{ head: number, cleaned: number, old: string }>(sql`
    select head, cleaned_version as cleaned, (
      select json_group_array(case when created_at < ${cutoff} then server_version end) from (
        select c.server_version, c.created_at from changes c
        where c.log_id = logs.id and c.server_version > logs.cleaned_version
          and c.server_version <= min(logs.head, ${slowest})
        order by c.server_version limit ${rowsPerChunk})) as old
    from logs where workspace_id = ${workspaceId}`)
  if (!row) return { from: 0, to: 0, head: 0, rows: 0 }
  // Null marks the first version that is too young.
  const versions = JSON.parse(row.old) as (number | null)[]
  const rows = versions.includes(null) ? versions.indexOf(null) : versions.length
  return { from: row.cleaned, to: versions[rows - 1] ?? row.cleaned, head: row.head, rows }
}

async function dropObsolete(tx: WriteTransaction, workspaceId: string, from: number, to: number): Promise<number> {
  const dropped = await dropChanges(tx, workspaceId, sql`
    select obsoletes from changes
    where log_id = ${logOf(workspaceId)} and server_version > ${from} and server_version <= ${to}
      and obsoletes is not null`)
  await tx.run(sql`update logs set cleaned_version = ${to} where workspace_id = ${workspaceId}`)
  return dropped
}

/** Deletes the changes of these versions and gives back what they took of the quota. */
async function dropChanges(tx: WriteTransaction, workspaceId: string, versions: SQL): Promise<number> {
  const due = sql`from changes where log_id = ${logOf(workspaceId)} and server_version in (${versions})`
  const [used] = await tx.all<{ bytes: number }>(sql`select coalesce(sum(${changeBytes}), 0) as bytes ${due}`)
  const { rowsAffected } = await tx.run(sql`delete ${due}`)
  await tx.run(sql`
    update logs set used_bytes = max(0, used_bytes - ${used!.bytes}), used_rows = max(0, used_rows - ${rowsAffected})
    where workspace_id = ${workspaceId}`)
  return rowsAffected
}

/** Drops the tombstones of keys whose other changes are gone. */
async function dropTombstones(database: SyncDatabase, run: Run): Promise<void> {
  const { workspaceId, cutoff, result } = run
  let wasFull = true
  while (wasFull && run.rowsLeft > 0) {
    const dropped = await database.write(async (tx) => {
      const [due] = await tx.all<{ keys: string, versions: string, newest: number | null, count: number }>(sql`
        select json_group_array(json_array(table_name, pk)) as keys, json_group_array(server_version) as versions,
          max(server_version) as newest, count(*) as count
        from (
          select table_name, pk, server_version from records
          where log_id = ${logOf(workspaceId)} and tombstone_at < ${cutoff} and tombstone_version <= min(
            (select cleaned_version from logs where workspace_id = ${workspaceId}), ${run.slowest})
          order by tombstone_at limit ${rowsPerChunk})`)
      if (due!.count === 0) return 0
      await tx.run(sql`
        delete from records where log_id = ${logOf(workspaceId)}
          and (table_name, pk) in (select value ->> 0, value ->> 1 from json_each(${due!.keys}))`)
      await dropChanges(tx, workspaceId, sql`select value from json_each(${due!.versions})`)
      await tx.run(sql`update logs set horizon = max(horizon, ${due!.newest}) where workspace_id = ${workspaceId}`)
      return due!.count
    })
    run.rowsLeft -= dropped
    result.droppedTombstones += dropped
    wasFull = dropped === rowsPerChunk
  }
  result.done &&= !wasFull
}

/** The slowest cursor of a device seen since `cutoff`; a number beyond every version where there is none. */
async function readSlowestCursor(tx: WriteTransaction, workspaceId: string, cutoff: number): Promise<number> {
  const [slowest] = await tx.all<{ cursor: number }>(sql`
    select cursor from device_cursors where workspace_id = ${workspaceId} and updated_at >= ${cutoff} order by cursor
      limit 1`)
  return slowest?.cursor ?? Number.MAX_SAFE_INTEGER
}
