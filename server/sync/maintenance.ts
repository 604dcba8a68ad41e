/**
 * The clean-up of all workspaces and what is known of its last run. A host's job begins and ends its runs here without
 * waiting and reads the state as a value, so the state is kept in memory and written behind.
 */
import { asc, eq, sql } from 'drizzle-orm'
import type { H3Event } from 'h3'
import type { SyncDatabase } from '../db/open.ts'
import { layerState, logs } from '../db/schema/index.ts'
import type { MaintenanceState } from './gateway/types.ts'
import { type CleanUpOptions, gcTombstones } from './retention.ts'
import { cleanUpRequest, parseRequest } from './wire.ts'

/** Of an error's text; it may be of any length. */
const maxErrorLength = 500
const stateName = 'maintenance'

export interface MaintenanceLog {
  read(): MaintenanceState
  begin(): void
  complete(lastRun: string): Promise<void>
  fail(error: string): Promise<void>
}

const maintenanceLogs = new WeakMap<SyncDatabase, MaintenanceLog>()

/** The one log of a database. */
export function maintenanceOf(database: SyncDatabase): MaintenanceLog {
  const log = maintenanceLogs.get(database) ?? createMaintenanceLog(database)
  maintenanceLogs.set(database, log)
  return log
}

function createMaintenanceLog(database: SyncDatabase): MaintenanceLog {
  let state: MaintenanceState = { enabled: true, state: 'idle' }
  let begun = false
  const remembered = recall()

  async function recall() {
    const [row] = await database.read.select().from(layerState).where(eq(layerState.name, stateName)).catch(() => [])
    if (row) state = { ...JSON.parse(row.value) as MaintenanceState, ...begun ? { state: state.state } : {} }
  }

  /** What is known of the last run is a comfort: a database that cannot take it now is no reason to fail. */
  async function settle(outcome: () => Promise<Partial<MaintenanceState>>) {
    await remembered
    state = { ...state, ...await outcome() }
    const value = JSON.stringify(state)
    await database.write(tx => tx.insert(layerState).values({ name: stateName, value })
      .onConflictDoUpdate({ target: layerState.name, set: { value } })).catch(() => {})
  }

  return {
    read: () => ({ ...state }),
    begin() {
      begun = true
      state = { ...state, state: 'running' }
    },
    complete: lastRun => settle(async () => ({ state: 'idle', lastRun, lastError: undefined, backlog: await readBacklog(database).catch(() => undefined) })),
    fail: error => settle(async () => ({ state: 'failed', lastError: error.slice(0, maxErrorLength) })),
  }
}

/** How many versions no clean-up has read yet, young ones among them. Only a restore lifts the horizon above that. */
export async function readBacklog(database: SyncDatabase): Promise<number> {
  const [row] = await database.read.select({ versions: sql<number>`coalesce(sum(head - max(cleaned_version, horizon)), 0)` }).from(logs)
  return row!.versions
}

/** Every workspace that has ever been pushed to. */
export async function listWorkspaceIds(database: SyncDatabase): Promise<string[]> {
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
  /** Workspaces in which something due is left; the next run goes on there. */
  unfinished: number
  failures: { workspaceId: string, error: unknown }[]
}

/**
 * Cleans every workspace up; one that fails does not stop the others. Throws 400 for a retention out of range, and the
 * database's refusals where not even the workspaces can be read.
 */
export async function cleanAllWorkspaces(database: SyncDatabase, { retentionSeconds, ...options }: CleanAllOptions): Promise<CleanAllResult> {
  parseRequest(cleanUpRequest.pick({ retentionSeconds: true }), { retentionSeconds }, 'Invalid clean-up request')
  const log = maintenanceOf(database)
  const result: CleanAllResult = { workspaces: 0, droppedChanges: 0, droppedTombstones: 0, unfinished: 0, failures: [] }
  const workspaceIds = await listWorkspaceIds(database)
  log.begin()
  for (const workspaceId of workspaceIds) {
    result.workspaces++
    try {
      const cleaned = await gcTombstones(database, noRequest, { scope: { workspaceId }, retentionSeconds }, options)
      result.droppedChanges += cleaned.droppedChanges
      result.droppedTombstones += cleaned.droppedTombstones
      if (!cleaned.done) result.unfinished++
    }
    catch (error) {
      result.failures.push({ workspaceId, error })
    }
  }
  if (result.failures.length === 0) await log.complete(new Date().toISOString())
  else await log.fail(`${result.failures.length} of ${result.workspaces} workspaces were not cleaned up`)
  return result
}

/** A maintenance job has no session. */
const noRequest = {} as unknown as H3Event
