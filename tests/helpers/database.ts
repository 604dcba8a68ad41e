/** A real, migrated database file in a folder of its own, removed after the test. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { onTestFinished } from 'vitest'
import { readDatabaseConfig } from '../../server/config/database.ts'
import { openDatabase, type OpenOptions } from '../../server/database/local/open.ts'
import type { Migrations, SyncDatabase } from '../../server/database/types.ts'

export const layerMigrations = readMigrationFiles({ migrationsFolder: fileURLToPath(new URL('../../drizzle', import.meta.url)) })

/** A folder that is gone after the test. */
export async function makeTempFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'or3-layer-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export interface TestDatabase extends SyncDatabase { readonly path: string }

export interface TestDatabaseOptions extends OpenOptions {
  path?: string
  env?: Record<string, string>
  migrations?: Partial<Migrations>
}

export async function openTestDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const path = options.path ?? join(await makeTempFolder(), 'sync.db')
  const config = readDatabaseConfig({ OR3_SQLITE_DB_PATH: path, OR3_SQLITE_PRAGMA_SYNCHRONOUS: 'NORMAL', ...options.env })
  const database = await openDatabase(config, { layer: layerMigrations, app: [], ...options.migrations }, options)
  let closed = false
  const close = async () => {
    if (closed) return
    closed = true
    await database.close()
  }
  onTestFinished(close)
  return { ...database, close, path }
}
