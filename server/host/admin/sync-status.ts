/**
 * The sync provider's card on the host's admin page: how the database is, what deserves attention, and what an
 * administrator may start. The host has checked who asks.
 */
import { consola } from 'consola'
import type { SyncDatabase } from '../../database/types.ts'
import { createSyncError } from '../../errors.ts'
import { backUp, type BackupResult } from '../../operations/backup.ts'
import { providerId } from '../sync-adapter/adapter.ts'
import type { CleanUpResult } from '../../../shared/protocol.ts'
import { createSystemCaller } from '../../sync/caller.ts'
import type { SyncEngine } from '../../sync/engine.ts'
import { type DatabaseFacts, readDatabaseFacts } from './database-facts.ts'
import type { AdminAction, AdminWarning, ProviderAdminAdapter, ProviderAdminStatus } from './types.ts'

/** What a host's own job keeps, so that a click drops no more than it would. */
const defaultRetentionDays = 365
const secondsPerDay = 86_400
/** A log that no checkpoint has emptied for long: some reader or backup holds it. */
const maxWalBytes = 256 * 1024 * 1024

const cleanUps: AdminAction[] = [
  { id: 'sync.gc-change-log', label: 'Clean up history', description: 'Drops changes that newer ones have superseded, behind every device. No row is lost.' },
  { id: 'sync.gc-tombstones', label: 'Clean up deletes', description: 'Also forgets old deletes; a device that was away for longer loads a snapshot.', danger: true },
]
const checkpoint: AdminAction = { id: 'sync.checkpoint', label: 'Empty the write-ahead log', description: 'Moves it into the database file.' }
const backup: AdminAction = { id: 'sync.backup', label: 'Back up now', description: 'Makes a verified copy beside the running server.' }

export function createSyncAdminAdapter(engine: () => Promise<SyncEngine>): ProviderAdminAdapter {
  return {
    id: providerId,
    kind: 'sync',
    getStatus: async () => readStatus(engine),
    async runAction(_event, actionId, payload, { session }) {
      const opened = await engine()
      switch (actionId) {
        case 'sync.gc-change-log': return cleanUp(opened.gcChangeLog, payload, session.workspace?.id)
        case 'sync.gc-tombstones': return cleanUp(opened.gcTombstones, payload, session.workspace?.id)
        case 'sync.checkpoint': return truncateWal(opened.database)
        case 'sync.backup': return makeBackup(opened.database)
        default: throw createSyncError('INVALID_REQUEST', 'Unknown action.')
      }
    },
  }
}

async function readStatus(engine: () => Promise<SyncEngine>): Promise<ProviderAdminStatus> {
  const opened = await engine().catch(() => undefined)
  if (!opened) return { warnings: [{ level: 'error', message: 'The database could not be opened: see the server log.' }], actions: [] }
  const facts = await readDatabaseFacts(opened.database)
  const maintenance = opened.maintenance.read()
  return {
    details: { ...facts, maintenance },
    warnings: [...warnOf(facts), ...warnOfCleanUp(maintenance)],
    actions: facts.inMemory ? cleanUps : [...cleanUps, checkpoint, backup],
  }
}

function warnOf({ inMemory, writable, walBytes, fileBytes, freeBytes, synchronous }: DatabaseFacts): AdminWarning[] {
  const warnings: AdminWarning[] = []
  const warn = (message: string) => warnings.push({ level: 'warning', message })
  if (inMemory) warn('The database is in memory: all data is lost when the server stops.')
  if (!writable) warnings.push({ level: 'error', message: 'The disk is full: writes are refused, reads go on. Make room; writes resume by themselves.' })
  if (synchronous === 'OFF') warn('OR3_SQLITE_PRAGMA_SYNCHRONOUS is OFF: a power failure can lose or damage data.')
  if (walBytes > maxWalBytes) warn('The write-ahead log is large: a reader, a studio or a backup may be holding it.')
  if (freeBytes !== null && freeBytes < fileBytes) warn('The disk has less room left than the database is large: a backup may fail.')
  return warnings
}

function warnOfCleanUp({ state, lastError }: { state: string, lastError?: string | undefined }): AdminWarning[] {
  return state === 'failed' ? [{ level: 'warning', message: `The last clean-up failed: ${lastError ?? 'see the server log'}` }] : []
}

type CleanUp = SyncEngine['gcChangeLog']

/** In the workspace of the payload, else in the session's. The host has checked that the administrator may. */
async function cleanUp(
  run: CleanUp,
  payload: Record<string, unknown> = {},
  sessionWorkspaceId?: string,
): Promise<CleanUpResult> {
  const workspaceId = payload['workspaceId'] ?? sessionWorkspaceId
  if (typeof workspaceId !== 'string') throw createSyncError('INVALID_REQUEST', 'No workspace: make one active, or send its workspaceId.')
  return run(createSystemCaller(workspaceId), { scope: { workspaceId }, retentionSeconds: readRetention(payload) })
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

/** What went wrong may name a path, so it goes to the log. */
async function makeBackup(database: SyncDatabase): Promise<BackupResult> {
  return backUp(database.local).catch((error: unknown) => {
    consola.withTag('or3-sync').error('The backup failed:', error)
    throw createSyncError('DATABASE_UNAVAILABLE', 'The backup failed, and the older ones are kept: see the server log.', { cause: error })
  })
}
