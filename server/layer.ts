/**
 * The layer in one server process: the database is opened once at the start, behind one promise that every store,
 * adapter and route awaits, and closed once at the end.
 */
import { consola } from 'consola'
import type { DatabaseConfig, RemoteConfig } from './config/database.ts'
import { MigrationError } from './database/migrate.ts'
import { openDatabase, type OpenOptions } from './database/local/open.ts'
import type { Migrations, SyncDatabase } from './database/types.ts'
import { openRemoteDatabase } from './database/remote/open-remote.ts'
import { RemoteDatabaseError } from './database/remote/remote-database-error.ts'
import { DatabaseInUseError } from './database/local/owner-lock.ts'
import { createSyncError } from './errors.ts'
import { describeContents } from './operations/contents.ts'
import { createSyncEngine, type SyncEngine } from './sync/engine.ts'

let opening: Promise<SyncEngine> | undefined
let opened: SyncEngine | undefined

/**
 * The open, migrated database, for an app's own Drizzle tables. Throws DATABASE_UNAVAILABLE where the layer is off,
 * prerendering, or failed to start.
 */
export async function useSyncDatabase(): Promise<SyncDatabase> {
  return (await useSyncEngine()).database
}

/** The sync engine of the open database. Throws as `useSyncDatabase` does. */
export function useSyncEngine(): Promise<SyncEngine> {
  return opening ?? Promise.reject(createSyncError('DATABASE_UNAVAILABLE', 'The database is not open here.'))
}

/** The engine if the database is open now: not before the start is over, nor where it failed. */
export function openedEngine(): SyncEngine | undefined {
  return opened
}

/**
 * Starts to open the database that `configure` describes. Later calls of `useSyncDatabase` wait for it. `onFailure`
 * gets one sentence for the operator, also where `configure` throws.
 */
export function startLayer(
  configure: () => DatabaseConfig | RemoteConfig,
  migrations: Migrations,
  onFailure: (sentence: string) => void,
  readOptions: () => OpenOptions = () => ({}),
): void {
  const open = async () => {
    const config = configure()
    if ('url' in config) return openRemoteDatabase(config, migrations, readOptions())
    if (config.warning) consola.withTag('or3-sync').warn(config.warning)
    const database = await openDatabase(config, migrations, readOptions()).catch((error: unknown) => {
      throw isSentence(error)
        ? error
        : new Error(`The database ${config.path} could not be opened: ${findReason(error)}.`, { cause: error })
    })
    // A path that is not the one that was meant shows by what is in it.
    consola.withTag('or3-sync').info(
      `The database ${database.local?.path ?? config.path} is open: ${await describeContents(database)}.`,
    )
    return database
  }
  opening = open().then(database => opened = createSyncEngine(database)).catch((error: unknown) => {
    onFailure(error instanceof Error ? error.message : String(error))
    throw createSyncError(
      'DATABASE_UNAVAILABLE', 'The database could not be opened: see the server log.', { cause: error },
    )
  })
  // Callers get the rejection. Without this line a start that nobody awaits would end the process.
  opening.catch(() => {})
}

/** Resolves when the start is over, also where it failed. */
export async function layerStarted(): Promise<void> {
  await opening?.catch(() => {})
}

/** Finishes the waiting writes and closes the file. */
export async function stopLayer(): Promise<void> {
  const engine = await opening?.catch(() => undefined)
  opening = undefined
  opened = undefined
  await engine?.database.close()
}

/** True for errors whose message is written for the operator. */
function isSentence(error: unknown): boolean {
  return error instanceof DatabaseInUseError || error instanceof MigrationError || error instanceof RemoteDatabaseError
}

/** The message of the driver or the operating system, without its wrappers. */
function findReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message : error.message
}
