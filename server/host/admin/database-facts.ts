/** Facts for the operator about the open database: sizes, settings, counts. No path, and nothing of any tenant. */
import { stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { sql } from 'drizzle-orm'
import type { ErrorCode } from '../../../shared/error-codes.ts'
import { ledgerTable } from '../../database/migrate.ts'
import type { SyncDatabase } from '../../database/types.ts'
import { readLastBackupAt } from '../../operations/backup.ts'
import { type Contents, readContents } from '../../operations/contents.ts'
import { readWalBytes } from '../../operations/health.ts'

export interface DatabaseFacts extends Contents {
  inMemory: boolean
  fileBytes: number
  walBytes: number
  /** Free bytes of the file's disk; null in memory, or where the system does not say. */
  freeBytes: number | null
  /** The error code of what the last reads and writes met; null where they went well. */
  problem: ErrorCode | null
  /** False after a write failed, until one succeeds. */
  writable: boolean
  queuedWrites: number
  /** ISO 8601. */
  lastBackupAt: string | null
  journalMode: string
  synchronous: string
  /** How many of the layer's migrations are applied. */
  schemaRevision: number
}

const synchronousNames = ['OFF', 'NORMAL', 'FULL', 'EXTRA']

/** Reads the facts; a few milliseconds. */
export async function readDatabaseFacts(database: SyncDatabase): Promise<DatabaseFacts> {
  const { local, activity } = database
  const inMemory = local === null
  const mode = await readPragma<{ journal_mode: string }>(database, 'journal_mode')
  const level = await readPragma<{ synchronous: number }>(database, 'synchronous')
  const [ledger] = await database.read.all<{ count: number }>(
    sql`select count(*) as count from ${sql.identifier(ledgerTable)} not indexed`,
  )
  return {
    inMemory,
    fileBytes: local === null ? 0 : await stat(local.path).then(({ size }) => size, () => 0),
    walBytes: await readWalBytes(database),
    freeBytes: local === null ? null : await readFreeBytes(local.path),
    problem: activity.problem,
    writable: activity.isWritable,
    queuedWrites: activity.queued,
    lastBackupAt: await readLastBackupAt(local).catch(() => null),
    journalMode: mode?.journal_mode ?? '',
    synchronous: synchronousNames[level?.synchronous ?? -1] ?? '',
    schemaRevision: ledger!.count,
    ...await readContents(database),
  }
}

async function readFreeBytes(path: string): Promise<number | null> {
  return statfs(dirname(path)).then(({ bavail, bsize }) => bavail * bsize, () => null)
}

async function readPragma<T>(database: SyncDatabase, name: string): Promise<T | undefined> {
  return (await database.read.all<T>(sql.raw(`pragma ${name}`)))[0]
}
