/**
 * The new file: written under a temporary name in the same folder, and renamed when it is whole and verified. An import
 * that is interrupted leaves at most the temporary file, which the next import removes first.
 */
import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { openDatabase } from '../../server/database/local/open.ts'
import type { SyncDatabase } from '../../server/database/types.ts'
import type { Migration } from '../../server/database/migrate.ts'
import { DatabaseInUseError, takeOwnerLock } from '../../server/database/local/owner-lock.ts'
import { ImportError } from './source-file.ts'

export interface Target {
  readonly database: SyncDatabase
  /** Puts the file in its place. */
  commit(): Promise<void>
  /** Removes what was written; does nothing after `commit`. */
  discard(): Promise<void>
}

export interface TargetPaths {
  path: string
  /** What all names begin with that are there only while an import is under way. */
  working: string
  /** Where a copy of the old file may go. */
  copyFolder: string
}

/** Where the new file goes, and where it is made. */
export function targetPaths(given: string): TargetPaths {
  const path = resolve(given)
  const working = join(dirname(path), `${basename(path)}.importing`)
  return { path, working, copyFolder: `${working}-source` }
}

/** Keeps the place for this import until it is released. */
export interface Place { release(): Promise<void> }

/** Of two imports to one place the second is refused at once. */
const lockTimeoutMs = 100

/** Throws `ImportError` where a file is in the place already, or another import is under way there. */
export async function takePlace({ path, working, copyFolder }: TargetPaths): Promise<Place> {
  await mkdir(dirname(path), { recursive: true })
  await assertEmpty(path)
  const lock = await takeOwnerLock(working, lockTimeoutMs).catch((error: unknown) => {
    throw error instanceof DatabaseInUseError ? new ImportError('Another import to this place is under way.') : error
  })
  await removeParts(databaseOf(working))
  await rm(copyFolder, { recursive: true, force: true })
  return {
    async release() {
      await rm(`${working}-owner`, { force: true }).catch(() => {})
      lock.close()
    },
  }
}

/** Not `working` itself: the place is locked under that name, and the open database under its own. */
function databaseOf(working: string): string {
  return `${working}.db`
}

/** Opens the unfinished new database. */
export async function openTarget({ path, working }: TargetPaths, migrations: readonly Migration[]): Promise<Target> {
  const unfinished = databaseOf(working)
  // No flush for each write: a file that is not whole is never used, and the whole one is flushed before it is moved.
  const database = await openDatabase(
    { path: unfinished, journalMode: 'WAL', synchronous: 'OFF' },
    { layer: migrations, app: [] },
  )
  let isDone = false
  return {
    database,
    async commit() {
      await database.close()
      await flush(unfinished)
      if (await sizeOf(`${unfinished}-wal`) > 0) {
        throw new ImportError('The new file could not be completed: its write-ahead log is not empty.')
      }
      await assertEmpty(path)
      await rename(unfinished, path)
      // A folder cannot be flushed on every system.
      await flush(dirname(path)).catch(() => {})
      isDone = true
      await removeParts(unfinished)
    },
    async discard() {
      await database.close()
      if (!isDone) await removeParts(unfinished)
    },
  }
}

async function assertEmpty(path: string): Promise<void> {
  for (const part of [path, `${path}-wal`]) {
    if (await sizeOf(part) > 0) {
      throw new ImportError(`${part} exists already: give --to a path where no file is, or move that one away.`)
    }
  }
}

async function removeParts(file: string): Promise<void> {
  for (const part of ['', '-wal', '-shm', '-journal', '-owner']) await rm(`${file}${part}`, { force: true })
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(({ size }) => size, () => 0)
}

async function flush(path: string): Promise<void> {
  const handle = await open(path, 'r')
  await handle.sync().finally(() => handle.close())
}
