/** The clean-up of every workspace, for the hourly task; one workspace that fails does not stop the others. */
import { randomUUID } from 'node:crypto'
import { asc } from 'drizzle-orm'
import { cleanUpRequest } from '../../../shared/shapes.ts'
import { logs } from '../../database/schema/index.ts'
import type { SyncDatabase } from '../../database/types.ts'
import { parseRequest } from '../../lib/parse-request.ts'
import { createSystemCaller } from '../caller.ts'
import { type CleanUpOptions, gcTombstones } from './clean-up.ts'
import { endLease, takeLease } from './lease.ts'
import type { MaintenanceLog } from './maintenance-log.ts'
import { purgeDeletedWorkspaces } from './purge.ts'

/** Every workspace that has ever been pushed to, deleted ones too. */
async function listLoggedWorkspaceIds(database: SyncDatabase): Promise<string[]> {
  const rows = await database.read.select({ id: logs.workspaceId }).from(logs).orderBy(asc(logs.workspaceId))
  return rows.map(row => row.id)
}

export interface CleanAllOptions extends CleanUpOptions {
  /** 3,600 to 31,536,000. */
  retentionSeconds: number
}

export interface CleanAllResult {
  workspaces: number
  droppedChanges: number
  droppedTombstones: number
  /** Workspaces deleted longer ago than the retention, whose rows are gone now. */
  purged: number
  /** Workspaces in which changes that are due are left; the next run goes on there. */
  unfinished: number
  failures: { workspaceId: string, error: unknown }[]
  /** True where another server is at it, so that this one did nothing. */
  isElsewhere?: boolean | undefined
}

/**
 * Cleans up every workspace. Throws INVALID_REQUEST for a retention out of range, and the database's refusals where the
 * workspaces cannot be read.
 */
export async function cleanAllWorkspaces(
  database: SyncDatabase, log: MaintenanceLog, { retentionSeconds, ...options }: CleanAllOptions,
): Promise<CleanAllResult> {
  parseRequest(cleanUpRequest.pick({ retentionSeconds: true }), { retentionSeconds }, 'Invalid clean-up request')
  const result: CleanAllResult = {
    workspaces: 0, droppedChanges: 0, droppedTombstones: 0, purged: 0, unfinished: 0, failures: [],
  }
  const lease = { name: 'clean_up_lease', owner: randomUUID() }
  // Where one process owns the data no other one can be at it.
  const isShared = database.grouped !== null
  if (isShared && !await takeLease(database, lease)) return { ...result, isElsewhere: true }
  const purging = await purgeDeletedWorkspaces(database, retentionSeconds).catch((error: unknown) => ({ error }))
  if (typeof purging === 'number') result.purged = purging
  const workspaceIds = await listLoggedWorkspaceIds(database)
  log.begin()
  for (const workspaceId of workspaceIds) {
    if (isShared && result.workspaces > 0 && !await takeLease(database, lease)) break
    result.workspaces++
    try {
      const cleaned = await gcTombstones(
        database, createSystemCaller(workspaceId), { scope: { workspaceId }, retentionSeconds }, options,
      )
      result.droppedChanges += cleaned.droppedChanges
      result.droppedTombstones += cleaned.droppedTombstones
      if (!cleaned.done) result.unfinished++
    }
    catch (error) {
      result.failures.push({ workspaceId, error })
    }
  }
  if (isShared) await endLease(database, lease).catch(() => {})
  if (typeof purging !== 'number') result.failures.push({ workspaceId: 'deleted ones', error: purging.error })
  if (result.failures.length === 0) await log.complete(new Date().toISOString())
  else await log.fail(`${result.failures.length} of ${result.workspaces} workspaces were not cleaned up`)
  return result
}
