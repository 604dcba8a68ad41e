/**
 * What is known of the last clean-up of all workspaces. A host's job begins and ends its runs here without waiting and
 * reads the state as a value, so the state is kept in memory and written behind.
 */
import { eq, sql } from 'drizzle-orm'
import type { SyncDatabase } from '../../database/types.ts'
import { layerState, logs } from '../../database/schema/index.ts'
import type { MaintenanceState } from '../../../shared/protocol.ts'

/** An error's text may be of any length. */
const maxErrorLength = 500
const stateName = 'maintenance'

export interface MaintenanceLog {
  read(): MaintenanceState
  begin(): void
  complete(lastRun: string): Promise<void>
  fail(error: string): Promise<void>
}

/** Makes the log of one engine. */
export function createMaintenanceLog(database: SyncDatabase): MaintenanceLog {
  let state: MaintenanceState = { enabled: true, state: 'idle' }
  let begun = false
  const remembered = recall()

  async function recall() {
    const [row] = await database.read.select().from(layerState).where(eq(layerState.name, stateName)).catch(() => [])
    if (row) state = { ...JSON.parse(row.value) as MaintenanceState, ...begun ? { state: state.state } : {} }
  }

  /** The state is informative only, so a database that cannot store it now is no reason to fail. */
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

/** The number of versions that no clean-up has read yet, young ones included. */
export async function readBacklog(database: SyncDatabase): Promise<number> {
  const [row] = await database.read.select({ versions: sql<number>`coalesce(sum(head - max(cleaned_version, horizon)), 0)` }).from(logs)
  return row!.versions
}
