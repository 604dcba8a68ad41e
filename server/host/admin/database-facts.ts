/** What an operator may know of the open database: sizes, settings, counts. No path and nothing of any tenant. */
import { stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { sql } from 'drizzle-orm'
import { ledgerTable } from '../../database/migrate.ts'
import type { SyncDatabase } from '../../database/types.ts'
import { readLastBackupAt } from '../../operations/backup.ts'
import { skippedVersionsName } from '../../operations/copy-script.ts'
import { readWalBytes } from '../../operations/health.ts'

export interface DatabaseFacts {
  inMemory: boolean
  fileBytes: number
  walBytes: number
  /** Of the disk the file is on; null in memory, or where the system does not tell. */
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
  workspaces: number
  users: number
  /** How many were ever accepted: the sum of all heads, less what a restore skipped. */
  changes: number
}

const synchronousNames = ['OFF', 'NORMAL', 'FULL', 'EXTRA']

export async function readDatabaseFacts(database: SyncDatabase): Promise<DatabaseFacts> {
  const { local, activity } = database
  const inMemory = local === null
  const mode = await readPragma<{ journal_mode: string }>(database, 'journal_mode')
  const level = await readPragma<{ synchronous: number }>(database, 'synchronous')
  const [counts] = await database.read.all<Pick<DatabaseFacts, 'schemaRevision' | 'workspaces' | 'users' | 'changes'>>(sql`
    select (select count(*) from ${sql.identifier(ledgerTable)}) as "schemaRevision",
      (select count(*) from workspaces where deleted_at is null) as workspaces,
      (select count(*) from users) as users,
      (select coalesce(sum(head), 0) from logs) - (select coalesce(sum(value), 0) from layer_state where name = ${skippedVersionsName}) as changes`)
  return {
    inMemory,
    fileBytes: local === null ? 0 : await stat(local.path).then(({ size }) => size, () => 0),
    walBytes: await readWalBytes(database),
    freeBytes: local === null ? null : await statfs(dirname(local.path)).then(({ bavail, bsize }) => bavail * bsize, () => null),
    writable: !activity.isFull,
    queuedWrites: activity.queued,
    lastBackupAt: await readLastBackupAt(local).catch(() => null),
    journalMode: mode?.journal_mode ?? '',
    synchronous: synchronousNames[level?.synchronous ?? -1] ?? '',
    ...counts!,
  }
}

async function readPragma<T>(database: SyncDatabase, name: string): Promise<T | undefined> {
  return (await database.read.all<T>(sql.raw(`pragma ${name}`)))[0]
}
