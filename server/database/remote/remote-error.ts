/**
 * Errors of a remote database as `LibsqlError`, told apart by what a caller can do about them. The text of the driver
 * and of the server stays inside; a client of the layer never sees it.
 */
import { ClientError, HttpServerError, ResponseError } from '@libsql/hrana-client'
import { LibsqlError } from '@libsql/core/api'
import { isLevelRefusal } from './durability.ts'

/** No answer came: the connection broke, or the time was over. Whether the request took effect is not known. */
const connectionLostCode = 'CONNECTION_LOST'
/** The server could not be reached, so nothing of the request was run. */
export const unreachableCode = 'UNREACHABLE'
/** The server refuses the token. */
export const unauthorizedCode = 'UNAUTHORIZED'
/** The session would not flush a commit. */
const notDurableCode = 'NOT_DURABLE'

/**
 * Codes after which the same request may succeed: the lock, the transaction or the connection was lost, or the server
 * has started and is not set up yet.
 */
const passingCodes = new Set([
  'SQLITE_BUSY', 'SQLITE_LOCKED', 'SQLITE_INTERRUPT', 'TRANSACTION_BUSY', 'TRANSACTION_TIMEOUT',
  'STREAM_EXPIRED', 'STREAM_NOT_OPEN', 'TRANSACTION_CLOSED', 'PROXY_ERROR', connectionLostCode, unreachableCode,
  notDurableCode,
])

/** True where trying again may help. */
export function isPassing(error: unknown): boolean {
  return passingCodes.has(codeOf(error) ?? '')
}

/** True where the request may have taken effect although it failed. */
export function isOutcomeUnknown(error: unknown): boolean {
  return codeOf(error) === connectionLostCode
}

/** The code of the innermost `LibsqlError`: Drizzle wraps what the client throws. */
export function codeOf(error: unknown): string | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (at instanceof LibsqlError) return at.code
  }
  return undefined
}

/**
 * Maps what `@libsql/hrana-client` or `fetch` throws. Errors of the program, such as a `RangeError` for a value, pass
 * as they are.
 */
export function mapRemoteError(error: unknown): unknown {
  if (error instanceof LibsqlError) return error
  if (error instanceof ResponseError) return mapResponseError(error)
  if (error instanceof HttpServerError && (error.status === 401 || error.status === 403)) return refusedToken(error)
  // Closed sockets, failed requests (`TypeError: fetch failed`) and answers that make no sense: all end the connection.
  if (error instanceof ClientError || error instanceof TypeError) {
    const inner = findResponseError(error)
    return inner ? mapResponseError(inner) : lostConnection(error)
  }
  return error
}

/** The error of a request that got no answer. */
export function lostConnection(cause: unknown): LibsqlError {
  return new LibsqlError(
    'The connection to the database server was lost', connectionLostCode, undefined, undefined, toError(cause),
  )
}

/** The error of a request that was not sent, since there is no connection. */
export function unreachable(cause: unknown): LibsqlError {
  return new LibsqlError('The database server cannot be reached', unreachableCode, undefined, undefined, toError(cause))
}

/** The error of a write on a session that would not flush it. Nothing was written. */
export function notDurable(cause: unknown): LibsqlError {
  return new LibsqlError('The database server may lose acknowledged writes at a power cut: set its durability_mode to '
    + '"strong" through its admin API', notDurableCode, undefined, undefined, toError(cause))
}

function refusedToken(cause: Error): LibsqlError {
  return new LibsqlError('The database server refuses the token', unauthorizedCode, undefined, undefined, cause)
}

function mapResponseError(error: ResponseError): LibsqlError {
  const code = error.code ?? 'UNKNOWN'
  if (code.startsWith('AUTH_')) return refusedToken(error)
  if (isLevelRefusal(error)) return notDurable(error)
  // The server tells no extended code.
  const extended = /(?:UNIQUE|PRIMARY KEY) constraint failed/.test(error.message)
    ? 'SQLITE_CONSTRAINT_UNIQUE'
    : undefined
  return new LibsqlError(error.message, code, extended, undefined, error)
}

function findResponseError(error: Error): ResponseError | undefined {
  for (let at: unknown = error.cause; at instanceof Error; at = at.cause) {
    if (at instanceof ResponseError) return at
  }
  return undefined
}

function toError(cause: unknown): Error | undefined {
  return cause instanceof Error ? cause : undefined
}
