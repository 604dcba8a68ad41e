/**
 * Workspaces that were deleted longer ago than the retention: their rows go, in chunks, and the file uses their space
 * again. The workspace itself goes last, so that a run that was ended goes on where it stopped. Upholds P15.
 */
import { sql } from 'drizzle-orm'
import { nowSeconds } from '../../lib/clock.ts'
import type { SyncDatabase } from '../../database/types.ts'

/** A chunk holds the writer for some milliseconds; a row of the largest payloads has 64 pages. */
const rowsPerChunk = 250

/** Log rows by the log's number, which is looked up once more for each chunk. */
const byLog = ['records', 'changes']
/** By the workspace's id; some are a host's. */
const byWorkspace = [
  'device_cursors', 'workspace_settings', 'upload_intents', 'file_references', 'file_reference_progress',
  'workspace_members', 'invites',
]

/** Removes what is left of them. Returns how many are gone now. */
export async function purgeDeletedWorkspaces(database: SyncDatabase, retentionSeconds: number): Promise<number> {
  const cutoff = nowSeconds() - retentionSeconds
  const due = await database.read.all<{ id: string }>(sql`select id from workspaces where deleted_at < ${cutoff}`)
  for (const { id } of due) await purge(database, id)
  return due.length
}

async function purge(database: SyncDatabase, id: string): Promise<void> {
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
    await tx.run(sql`delete from workspaces where id = ${id} and deleted_at is not null`)
  })
}
