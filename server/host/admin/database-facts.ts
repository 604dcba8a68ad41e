/** Facts for the operator about the open database: sizes, settings, counts. No path, and nothing of any tenant. */
import { stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { sql } from 'drizzle-orm'
import { ledgerTable } from '../../database/migrate.ts'
import type { SyncDatabase } from '../../database/types.ts'
import { readLastBackupAt } from '../../operations/backup.ts'
import { skippedVersionsName } from '../../operations/copy-script.ts'
import { readWalBytes } from '../../operations/health.ts'
import { livingWorkspaceIds } from '../../workspaces/living.ts'

export interface DatabaseFacts {
  inMemory: boolean
  fileBytes: number
  walBytes: number
  /** Free bytes of the file's disk; null in memory, or where the system does not say. */
  freeBytes: number | null
  /** False while the disk is full. */
  writable: boolean
  queuedWrites: number
  /** ISO 8601. */
  lastBackupAt: string | null
  journalMode: string
  synchronous: string
  /** How many of the layer's migrations are applied. */
  schemaRevision: number
  /** Living ones, as a backup counts them. */
  workspaces: number
  users: number
  /** Changes that were ever accepted: the sum of all heads, less the versions that a restore skipped. */
  changes: number
}

const synchronousNames = ['OFF', 'NORMAL', 'FULL', 'EXTRA']

/** Reads the facts; a few milliseconds. */
export async function readDatabaseFacts(database: SyncDatabase): Promise<DatabaseFacts> {
  const { local, activity } = database
  const inMemory = local === null
  const mode = await readPragma<{ journal_mode: string }>(database, 'journal_mode')
  const level = await readPragma<{ synchronous: number }>(database, 'synchronous')
  type Counts = Pick<DatabaseFacts, 'schemaRevision' | 'workspaces' | 'users' | 'changes'>
  const [counts] = await database.read.all<Counts>(sql`
    select (select count(*) from ${sql.identifier(ledgerTable)}) as "schemaRevision",
      (select count(*) from (${livingWorkspaceIds})) as workspaces,
      (select count(*) from users) as users,
      (select coalesce(sum(head), 0) from logs)
        - (select coalesce(sum(value), 0) from layer_state where name = ${skippedVersionsName}) as changes`)
  return {
    inMemory,
    fileBytes: local === null ? 0 : await stat(local.path).then(({ size }) => size, () => 0),
    walBytes: await readWalBytes(database),
    freeBytes: local === null ? null : await readFreeBytes(local.path),
    writable: !activity.isFull,
    queuedWrites: activity.queued,
    lastBackupAt: await readLastBackupAt(local).catch(() => null),
    journalMode: mode?.journal_mode ?? '',
    synchronous: synchronousNames[level?.synchronous ?? -1] ?? '',
    ...counts!,
  }
}

async function readFreeBytes(path: string): Promise<number | null> {
  return statfs(dirname(path)).then(({ bavail, bsize }) => bavail * bsize, () => null)
}

async function readPragma<T>(database: SyncDatabase, name: string): Promise<T | undefined> {
  return (await database.read.all<T>(sql.raw(`pragma ${name}`)))[0]
}
