/**
 * One server process per database file. The lock is an exclusive SQLite lock on a small file beside the database, so
 * the operating system ends it with the process, whatever way that ends. It is not on the database itself: the studio
 * and a reading backup go on. Two writers that checkpoint could meet the WAL-reset bug (sqlite.org/wal.html).
 * Never open the lock file by other means in this process: closing it would drop the lock (POSIX).
 */
import { retryWhileBusy } from './busy.ts'
import { openConnection } from './connection.ts'
import { isBusy } from './driver-error.ts'

/** Closing it gives the lock back. */
export interface OwnerLock { close(): void }

/** A second owner is refused; its message is the one sentence the operator reads. */
export class DatabaseInUseError extends Error {
  override name = 'DatabaseInUseError'
}

/** Takes the lock for the file at `path`. Throws `DatabaseInUseError` when another keeps it for `timeoutMs`. */
export async function takeOwnerLock(path: string, timeoutMs: number): Promise<OwnerLock> {
  const lock = openConnection({ path: `${path}-owner`, pragmas: [] })
  try {
    await retryWhileBusy(timeoutMs, () => lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE'))
    return lock
  }
  catch (error) {
    lock.close()
    if (!isBusy(error)) throw error
    throw new DatabaseInUseError(`Another server process has ${path} open: stop it, or set OR3_SQLITE_DB_PATH to another file. One file belongs to one process.`)
  }
}
