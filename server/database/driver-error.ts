/**
 * The driver's errors: mapped to `LibsqlError` with SQLite's base code, told apart by what a caller can do about them,
 * and turned into the one error a client sees. Driver text stays in `cause`.
 */
import { LibsqlError } from '@libsql/core/api'
import { createSyncError, isSyncError } from '../errors.ts'
import { isDriverError } from './local/native.ts'

/** By number, as sqlite.org/rescode.html has them. */
const baseCodes = [
  'OK', 'ERROR', 'INTERNAL', 'PERM', 'ABORT', 'BUSY', 'LOCKED', 'NOMEM', 'READONLY', 'INTERRUPT', 'IOERR', 'CORRUPT',
  'NOTFOUND', 'FULL', 'CANTOPEN', 'PROTOCOL', 'EMPTY', 'SCHEMA', 'TOOBIG', 'CONSTRAINT', 'MISMATCH', 'MISUSE', 'NOLFS',
  'AUTH', 'FORMAT', 'RANGE', 'NOTADB',
]

/** Turns an error of the driver into a `LibsqlError` with SQLite's code; another error passes as it is. */
export function mapDriverError(error: unknown): unknown {
  if (!isDriverError(error)) return error
  const name = error.rawCode === undefined ? undefined : baseCodes[error.rawCode & 0xff]
  return new LibsqlError(error.message, `SQLITE_${name ?? 'UNKNOWN'}`, error.code, error.rawCode, error)
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

/** True where there is no room left to write. */
export function isFull(error: unknown): boolean {
  return driverCode(error) === 'SQLITE_FULL'
}

/** True where a row is there already, by its primary key or another unique index. */
export function isDuplicate(error: unknown): boolean {
  return error instanceof LibsqlError && /^SQLITE_CONSTRAINT_(?:UNIQUE|PRIMARYKEY)$/.test(error.extendedCode ?? '')
}

/** Codes that say that a statement or its values are wrong: trying again will not help. */
const faultsOfOurs = new Set([
  'SQLITE_ERROR', 'SQLITE_CONSTRAINT', 'SQLITE_MISMATCH', 'SQLITE_RANGE', 'SQLITE_TOOBIG', 'SQLITE_MISUSE',
])

/** What a caller is told of `error`: refusals and faults of the program pass, the database's become a retryable 503. */
export function toPublicError(error: unknown): unknown {
  const code = driverCode(error)
  if (code === undefined || isSyncError(error) || faultsOfOurs.has(code)) return error
  switch (code) {
    case 'SQLITE_BUSY':
    case 'SQLITE_LOCKED':
      return createSyncError('DATABASE_BUSY', 'The database is busy; nothing was written. Try again.', { cause: error })
    case 'SQLITE_FULL':
      return createSyncError(
        'DATABASE_FULL',
        'The server has no room left to write; nothing was written. Try again later.',
        { cause: error },
      )
    default:
      return createSyncError(
        'DATABASE_UNAVAILABLE',
        'The database could not serve this; nothing was written. Try again later.',
        { cause: error },
      )
  }
}
