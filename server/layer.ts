/**
 * The life of the layer in one server process: opened once at the start behind one promise that every store, adapter
 * and route awaits, closed once at the end.
 */
import { consola } from 'consola'
import { ConfigError, type DatabaseSettings, readDatabaseConfig } from './db/config.ts'
import { MigrationError } from './db/migrate.ts'
import { type Migrations, openDatabase, type SyncDatabase } from './db/open.ts'
import { DatabaseInUseError } from './db/owner-lock.ts'
import { fail } from './errors.ts'

let opening: Promise<SyncDatabase> | undefined

/** The open, migrated database. Throws DATABASE_UNAVAILABLE where the layer is off, prerendering, or failed to start. */
export function useSyncDatabase(): Promise<SyncDatabase> {
  return opening ?? Promise.reject(fail('DATABASE_UNAVAILABLE', 'The database is not open here.'))
}

/** Starts to open; `onFailure` gets the one sentence for the operator. Later calls of `useSyncDatabase` wait for it. */
export function startLayer(env: Record<string, string | undefined>, settings: DatabaseSettings, migrations: Migrations, onFailure: (sentence: string) => void): void {
  const open = async () => {
    const config = readDatabaseConfig(env, settings)
    if (config.warning) consola.withTag('or3-sync').warn(config.warning)
    return openDatabase(config, migrations)
  }
  opening = open().catch((error: unknown) => {
    onFailure(explain(error))
    throw fail('DATABASE_UNAVAILABLE', 'The database could not be opened: see the server log.', { cause: error })
  })
  // Whoever asks gets the rejection; nobody asking must not end the process.
  opening.catch(() => {})
}

/** Finishes the waiting writes and closes the file. */
export async function stopLayer(): Promise<void> {
  const database = await opening?.catch(() => undefined)
  opening = undefined
  await database?.close()
}

function explain(error: unknown): string {
  if (error instanceof ConfigError || error instanceof DatabaseInUseError || error instanceof MigrationError) return error.message
  return `The database could not be opened: ${error instanceof Error ? error.message : String(error)}`
}
