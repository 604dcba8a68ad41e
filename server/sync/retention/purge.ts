/**
 * Workspaces that were deleted longer ago than the retention: their rows go, in chunks, and the file uses their space
 * again. The workspace itself goes last, so that a run that was ended goes on where it stopped. Upholds P15.
 */
import { sql } from 'drizzle-orm'
import { readNow } from '../../database/read-now.ts'
import type { SyncDatabase } from '../../database/types.ts'

/** A chunk holds the writer for some milliseconds; a row of the largest payloads has 64 pages. */
const rowsPerChunk = 250

/** Log rows by the log's number, which is looked up once more for each chunk. */
const byLog = ['records', 'changes']
/** By the workspace's id; some are a host's. */
const byWorkspace = [
  'device_cursors', 'deferred_devices', 'workspace_settings', 'upload_intents', 'file_references',
  'file_reference_progress', 'invites', 'invite_links',
]

/** Removes what is left of them. Returns how many are gone now. */
export async function purgeDeletedWorkspaces(database: SyncDatabase, retentionSeconds: number): Promise<number> {
  const cutoff = await readNow(database) - retentionSeconds
  const due = await database.read.all<{ id: string }>(sql`select id from workspaces where ${isOver(cutoff)}`)
  let purged = 0
  for (const { id } of due) if (await purge(database, id, cutoff)) purged++
  return purged
}

/** False where it was restored in the meantime. */
async function purge(database: SyncDatabase, id: string, cutoff: number): Promise<boolean> {
  if (!await endMemberships(database, id, cutoff)) return false
  const log = sql`(select id from logs where workspace_id = ${id})`
  const parts = [
    ...byLog.map(table => ({ table, where: sql`log_id = ${log}` })),
    ...byWorkspace.map(table => ({ table, where: sql`workspace_id = ${id}` })),
  ]
  for (const { table, where } of parts) {
    const from = sql.identifier(table)
    let dropped: number
    do {
      ({ rowsAffected: dropped } = await database.write(tx => tx.run(sql`
        delete from ${from} where rowid in (select rowid from ${from} where ${where} limit ${rowsPerChunk})`)))
    } while (dropped === rowsPerChunk)
  }
  await database.write(async (tx) => {
    await tx.run(sql`delete from logs where workspace_id = ${id}`)
    await tx.run(sql`delete from workspaces where id = ${id}`)
  })
  return true
}

/** All members at once, before any row: an administrator restores no workspace that has no owner, so none half gone. */
function endMemberships(database: SyncDatabase, id: string, cutoff: number): Promise<boolean> {
  return database.write(async (tx) => {
    const [due] = await tx.all(sql`select 1 from workspaces where id = ${id} and ${isOver(cutoff)}`)
    if (due) await tx.run(sql`delete from workspace_members where workspace_id = ${id}`)
    return due !== undefined
  })
}

/** A host's administrator deletes at a moment in milliseconds. */
function isOver(cutoff: number) {
  return sql`deleted_at < case when deleted_at > ${latestSeconds} then ${cutoff * 1000} else ${cutoff} end`
}

/** Seconds have ten digits until the year 2286. */
const latestSeconds = 9_999_999_999
