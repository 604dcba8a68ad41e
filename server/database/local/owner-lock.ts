/**
 * One server process per database file. The lock is an exclusive SQLite lock on a small file beside the database, so
 * the operating system ends it with the process, whatever way that ends. It is not on the database itself: the studio
 * and a reading backup go on. Two writers that checkpoint could meet the WAL-reset bug (sqlite.org/wal.html).
 * Never open the lock file by other means in this process: closing it would drop the lock (POSIX).
 */
import { ensurePrivateFile } from '../../lib/private-file.ts'
import { retryWhileBusy } from '../busy.ts'
import { openConnection } from './connection.ts'
import { driverCode, isBusy } from '../driver-error.ts'

/**
 * Throws `DatabaseInUseError` where another process has the file open under another name: a hard link, or a bind mount
 * of the file alone. The lock file stands beside one name, but every open database in WAL mode has a shared lock on the
 * file itself. An exclusive one, taken for a moment before anything is opened, tells. It is not asked of a file with
 * one name, whose readers (a studio, a backup) may be there.
 */
export async function assertNotOpenElsewhere(path: string, timeoutMs: number): Promise<void> {
  const probe = openConnection({ path, pragmas: [] })
  try {
    await retryWhileBusy(timeoutMs, () => probe.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; ROLLBACK'))
  }
  catch (error) {
    if (!isBusy(error)) throw error
    throw new DatabaseInUseError(`Another process has the file ${path} open by another name (it has hard links): stop `
      + 'it, and leave the file one name. One file belongs to one process.')
  }
  finally {
    probe.close()
  }
}

/** Closing it gives the lock back. */
export interface OwnerLock { close(): void }

/** A second owner is refused; its message is the one sentence the operator reads. */
export class DatabaseInUseError extends Error {
  override name = 'DatabaseInUseError'
}

/**
 * Takes the lock for the file at `path`. Throws `DatabaseInUseError` when another keeps it for `timeoutMs`, and an
 * error where this user may not write the lock file: SQLite would then take a lock that several have at once.
 */
export async function takeOwnerLock(path: string, timeoutMs: number): Promise<OwnerLock> {
  await ensurePrivateFile(`${path}-owner`).catch(() => {})
  const lock = openConnection({ path: `${path}-owner`, pragmas: [] })
  try {
    // The last of it is never committed, and fails where the file was opened to be read only.
    await retryWhileBusy(timeoutMs, () =>
      lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE; PRAGMA user_version = 1'))
    return lock
  }
  catch (error) {
    lock.close()
    if (driverCode(error) === 'SQLITE_READONLY') {
      throw new Error(
        `${path}-owner is not writable by this user: give it to the user that runs the server (chown)`,
        { cause: error },
      )
    }
    if (!isBusy(error)) throw error
    throw new DatabaseInUseError(`Another server process has ${path} open: stop it, or set OR3_SQLITE_DB_PATH to `
      + 'another file. One file belongs to one process.')
  }
}
