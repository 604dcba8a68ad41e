/** What an operator may know of the open database: sizes, settings, counts. No path and nothing of any tenant. */
import { stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { sql } from 'drizzle-orm'
import { ledgerTable } from '../db/migrate.ts'
import type { SyncDatabase } from '../db/open.ts'

export interface DatabaseFacts {
  inMemory: boolean
  fileBytes: number
  walBytes: number
  /** Of the disk the file is on; null in memory, or where the system does not tell. */
  freeBytes: number | null
  journalMode: string
  synchronous: string
  /** How many of the layer's migrations are applied. */
  schemaRevision: number
  workspaces: number
  users: number
  /** The sum of all heads: how many changes were ever accepted. */
  changes: number
}

const synchronousNames = ['OFF', 'NORMAL', 'FULL', 'EXTRA']

export async function readDatabaseFacts(database: SyncDatabase): Promise<DatabaseFacts> {
  const [path, journalMode, synchronous] = [
    await readPragma<{ name: string, file: string }>(database, 'database_list').then(row => row?.file ?? ''),
    await readPragma<{ journal_mode: string }>(database, 'journal_mode').then(row => row?.journal_mode ?? ''),
    await readPragma<{ synchronous: number }>(database, 'synchronous').then(row => synchronousNames[row?.synchronous ?? -1] ?? ''),
  ]
  const [counts] = await database.read.all<Pick<DatabaseFacts, 'schemaRevision' | 'workspaces' | 'users' | 'changes'>>(sql`
    select (select count(*) from ${sql.identifier(ledgerTable)}) as "schemaRevision",
      (select count(*) from workspaces where deleted_at is null) as workspaces,
      (select count(*) from users) as users,
      (select coalesce(sum(head), 0) from heads) as changes`)
  return {
    inMemory: path === '',
    fileBytes: await sizeOf(path),
    walBytes: path === '' ? 0 : await sizeOf(`${path}-wal`),
    freeBytes: path === '' ? null : await freeBytesAt(dirname(path)),
    journalMode,
    synchronous,
    ...counts!,
  }
}

async function readPragma<T>(database: SyncDatabase, name: string): Promise<T | undefined> {
  return (await database.read.all<T>(sql.raw(`pragma ${name}`)))[0]
}

async function sizeOf(path: string): Promise<number> {
  return path === '' ? 0 : stat(path).then(({ size }) => size, () => 0)
}

async function freeBytesAt(folder: string): Promise<number | null> {
  return statfs(folder).then(({ bavail, bsize }) => bavail * bsize, () => null)
}
