/**
 * The driver's errors: mapped to `LibsqlError` with SQLite's base code, told apart by what a caller can do about them,
 * and turned into the one error a client sees. Driver text stays in `cause`.
 */
import { LibsqlError } from '@libsql/core/api'
import Database from 'libsql'
import { isError } from 'h3'
import { fail } from '../errors.ts'

const baseCodes: Record<number, string> = {
  5: 'SQLITE_BUSY', 6: 'SQLITE_LOCKED', 8: 'SQLITE_READONLY', 10: 'SQLITE_IOERR', 11: 'SQLITE_CORRUPT',
  13: 'SQLITE_FULL', 14: 'SQLITE_CANTOPEN', 19: 'SQLITE_CONSTRAINT', 26: 'SQLITE_NOTADB',
}

export function mapDriverError(error: unknown): unknown {
  if (!(error instanceof Database.SqliteError)) return error
  const rawCode = error.rawCode
  const base = rawCode === undefined ? 'SQLITE_UNKNOWN' : baseCodes[rawCode & 0xff] ?? 'SQLITE_ERROR'
  return new LibsqlError(error.message, base, error.code, rawCode, error)
}

/** SQLite's base code of an error, looked for along its causes: Drizzle wraps what the driver throws. */
export function driverCode(error: unknown): string | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (at instanceof LibsqlError) return at.code
  }
  return undefined
}

/** True where another process holds the lock: nothing was done, and waiting helps. */
export function isBusy(error: unknown): boolean {
  const code = driverCode(error)
  return code === 'SQLITE_BUSY' || code === 'SQLITE_LOCKED'
}

/** What a caller is told of `error`: h3 errors pass, driver errors become one clear, retryable 503. */
export function toPublicError(error: unknown): unknown {
  if (isError(error)) return error
  switch (driverCode(error)) {
    case undefined: return error
    case 'SQLITE_BUSY':
    case 'SQLITE_LOCKED':
      return fail('DATABASE_BUSY', 'The database is busy; nothing was written. Try again.', { cause: error })
    case 'SQLITE_FULL':
      return fail('DATABASE_FULL', 'The server has no room left to write; nothing was written. Try again later.', { cause: error })
    default:
      return fail('DATABASE_UNAVAILABLE', 'The database could not serve this; nothing was written. Try again later.', { cause: error })
  }
}
