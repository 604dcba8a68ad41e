/**
 * The state of maintenance: of the last clean-up of all workspaces, or of the one that an administrator started. A
 * host's job begins and ends its runs without waiting and reads the state as a value, so each call changes the state at
 * once, and the database is written behind.
 */
import { eq, sql } from 'drizzle-orm'
import type { SyncDatabase } from '../../database/types.ts'
import { layerState, logs } from '../../database/schema/index.ts'
import type { MaintenanceState } from '../../../shared/protocol.ts'

/** An error's text may be of any length. */
const maxErrorLength = 500
const stateName = 'maintenance'

export interface MaintenanceLog {
  /** The state as the last call left it. */
  read(): MaintenanceState
  begin(): void
  complete(lastRun: string): Promise<void>
  fail(error: string): Promise<void>
}

/** Makes the log of one engine. */
export function createMaintenanceLog(database: SyncDatabase): MaintenanceLog {
  let remembered: Partial<MaintenanceState> = {}
  /** What was set since the start; an undefined value stands for a field that was cleared. */
  let changed: { [Field in keyof MaintenanceState]?: MaintenanceState[Field] | undefined } = {}
  const recalled = recall()

  async function recall() {
    const [row] = await database.read.select().from(layerState).where(eq(layerState.name, stateName)).catch(() => [])
    if (row) remembered = JSON.parse(row.value) as MaintenanceState
  }

  function read(): MaintenanceState {
    const known = Object.entries({ enabled: true, state: 'idle', ...remembered, ...changed })
    return Object.fromEntries(known.filter(([, value]) => value !== undefined)) as unknown as MaintenanceState
  }

  /** A run that has begun since is not stored: after a restart nothing runs. A failing write is no reason to fail. */
  async function store(state: MaintenanceState['state']) {
    await recalled
    const value = JSON.stringify({ ...read(), state })
    await database.write(tx => tx.insert(layerState).values({ name: stateName, value })
      .onConflictDoUpdate({ target: layerState.name, set: { value } })).catch(() => {})
  }

  return {
    read,
    begin() {
      changed = { ...changed, state: 'running' }
    },
    async complete(lastRun) {
      changed = { ...changed, state: 'idle', lastRun, lastError: undefined }
      const backlog = await readBacklog(database).catch(() => undefined)
      changed = { ...changed, backlog }
      await store('idle')
    },
    async fail(error) {
      changed = { ...changed, state: 'failed', lastError: error.slice(0, maxErrorLength) }
      await store('failed')
    },
  }
}

/** The number of versions that no clean-up has read yet, young ones included. */
export async function readBacklog(database: SyncDatabase): Promise<number> {
  const [row] = await database.read.select({
    versions: sql<number>`coalesce(sum(head - max(cleaned_version, horizon)), 0)`,
  }).from(logs)
  return row!.versions
}
