/**
 * The sync provider's card on the host's admin page: facts about the database, warnings, and the actions that an
 * administrator may start. The host checks the rights.
 */
import { consola } from 'consola'
import { eq } from 'drizzle-orm'
import type { H3Event } from 'h3'
import { readSessionContext, type SessionContext } from '../../auth/session-context.ts'
import { logs } from '../../database/schema/index.ts'
import type { SyncDatabase } from '../../database/types.ts'
import { errorKinds } from '../../../shared/error-codes.ts'
import { createSyncError, isSyncError } from '../../errors.ts'
import { backUp, type BackupResult } from '../../operations/backup.ts'
import { providerId } from '../sync-adapter/adapter.ts'
import type { CleanUpResult, MaintenanceState } from '../../../shared/protocol.ts'
import { createSystemCaller } from '../../sync/caller.ts'
import type { SyncEngine } from '../../sync/engine.ts'
import { type DatabaseFacts, readDatabaseFacts } from './database-facts.ts'
import type { AdminAction, AdminWarning, ProviderAdminAdapter, ProviderAdminStatus } from './types.ts'

/** As long as a host's own job keeps history: a click drops no more than the job would. */
const defaultRetentionDays = 365
const secondsPerDay = 86_400
/** A larger log was not emptied by a checkpoint for long: a reader or a backup holds it. */
const maxWalBytes = 256 * 1024 * 1024

const cleanUps: AdminAction[] = [
  {
    id: 'sync.gc-change-log', label: 'Clean up history',
    description: 'Drops changes that newer ones have superseded, behind every device. No row is lost.',
  },
  {
    id: 'sync.gc-tombstones', label: 'Clean up deletes', danger: true,
    description: 'Also forgets old deletes; a device that was away for longer loads a snapshot.',
  },
]
const checkpoint: AdminAction = {
  id: 'sync.checkpoint', label: 'Empty the write-ahead log', description: 'Moves it into the database file.',
}
const backup: AdminAction = {
  id: 'sync.backup', label: 'Back up now', description: 'Makes a verified copy beside the running server.',
}

/** Makes the card's adapter; its methods throw `SyncError`s. */
export function createSyncAdminAdapter(engine: () => Promise<SyncEngine>): ProviderAdminAdapter {
  return {
    id: providerId,
    kind: 'sync',
    getStatus: async event => readStatus(engine, event),
    async runAction(_event, actionId, payload, { session }) {
      const opened = await engine()
      switch (actionId) {
        case 'sync.gc-change-log': return cleanUp(opened, opened.gcChangeLog, payload, session)
        case 'sync.gc-tombstones': return cleanUp(opened, opened.gcTombstones, payload, session)
        case 'sync.checkpoint': return truncateWal(opened.database)
        case 'sync.backup': return makeBackup(opened.database)
        default: throw createSyncError('INVALID_REQUEST', 'Unknown action.')
      }
    },
  }
}

const notOpened: AdminWarning = { level: 'error', message: 'The database could not be opened: see the server log.' }

async function readStatus(engine: () => Promise<SyncEngine>, event: H3Event): Promise<ProviderAdminStatus> {
  const opened = await engine().catch(() => undefined)
  if (!opened) return { warnings: [notOpened], actions: [] }
  const facts = await readDatabaseFacts(opened.database)
  const maintenance = opened.maintenance.read()
  return {
    details: { ...facts, head: await readHead(opened.database, event), maintenance },
    warnings: [...warnOf(facts), ...warnOfCleanUp(maintenance)],
    actions: facts.inMemory ? cleanUps : [...cleanUps, checkpoint, backup],
  }
}

/** The head of the session's active workspace; null without a session. */
async function readHead({ read }: SyncDatabase, event: H3Event): Promise<number | null> {
  const workspace = readSessionContext(event)?.workspace
  if (!workspace) return null
  const [log] = await read.select({ head: logs.head }).from(logs).where(eq(logs.workspaceId, workspace.id))
  return log?.head ?? 0
}

function warnOf({ inMemory, problem, walBytes, fileBytes, freeBytes, synchronous }: DatabaseFacts): AdminWarning[] {
  const warnings: AdminWarning[] = []
  const warn = (message: string) => warnings.push({ level: 'warning', message })
  if (inMemory) warn('The database is in memory: all data is lost when the server stops.')
  if (problem !== null) {
    const { meaning, operator } = errorKinds[problem]
    warnings.push({ level: 'error', message: `${problem}: ${meaning} ${operator}` })
  }
  if (synchronous === 'OFF') warn('OR3_SQLITE_PRAGMA_SYNCHRONOUS is OFF: a power failure can lose or damage data.')
  if (walBytes > maxWalBytes) warn('The write-ahead log is large: a reader, a studio or a backup may be holding it.')
  if (freeBytes !== null && freeBytes < fileBytes) {
    warn('The disk has less room left than the database is large: a backup may fail.')
  }
  return warnings
}

function warnOfCleanUp({ state, lastError }: Pick<MaintenanceState, 'state' | 'lastError'>): AdminWarning[] {
  if (state !== 'failed') return []
  return [{ level: 'warning', message: `The last clean-up failed: ${lastError ?? 'see the server log'}` }]
}

type CleanUp = SyncEngine['gcChangeLog']

/** Cleans one workspace up; the state of maintenance tells how that ended. */
async function cleanUp(
  { maintenance }: SyncEngine,
  run: CleanUp,
  payload: Record<string, unknown> = {},
  session: SessionContext,
): Promise<CleanUpResult> {
  maintenance.begin()
  try {
    const workspaceId = readWorkspaceId(payload, session)
    const caller = createSystemCaller(workspaceId)
    const result = await run(caller, { scope: { workspaceId }, retentionSeconds: readRetention(payload) })
    await maintenance.complete(new Date().toISOString())
    return result
  }
  catch (error) {
    await maintenance.fail(isSyncError(error) ? error.message : 'See the server log.')
    throw error
  }
}

/** The session's workspace. Throws FORBIDDEN where the payload names another, INVALID_REQUEST where there is none. */
function readWorkspaceId(payload: Record<string, unknown>, { workspace }: SessionContext): string {
  if (!workspace) throw createSyncError('INVALID_REQUEST', 'The session has no workspace: make one active.')
  if (payload['workspaceId'] !== undefined && payload['workspaceId'] !== workspace.id) {
    throw createSyncError('FORBIDDEN', 'The session is in another workspace: make this one active first.')
  }
  return workspace.id
}

function readRetention({ retentionSeconds, retentionDays }: Record<string, unknown>): number {
  if (typeof retentionSeconds === 'number') return retentionSeconds
  return Math.trunc((typeof retentionDays === 'number' ? retentionDays : defaultRetentionDays) * secondsPerDay)
}

async function truncateWal(database: SyncDatabase): Promise<{ emptied: boolean, walBytes: number }> {
  const emptied = await database.local?.truncateWal() ?? false
  const { walBytes } = await readDatabaseFacts(database)
  return { emptied, walBytes }
}

/** The reason may name a path, so it goes to the log and not to the answer. */
async function makeBackup(database: SyncDatabase): Promise<BackupResult> {
  return backUp(database.local).catch((error: unknown) => {
    consola.withTag('or3-sync').error('The backup failed:', error)
    const message = 'The backup failed, and the older ones are kept: see the server log.'
    throw createSyncError('DATABASE_UNAVAILABLE', message, { cause: error })
  })
}
