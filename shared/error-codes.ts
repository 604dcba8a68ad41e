/**
 * Every refusal that the layer answers, in one place: its HTTP status, the wire's `errorCode`, whether a retry can
 * help, and what an operator does about it. `docs/error-codes.md` is made from this table.
 */
import type { SyncErrorCode } from './protocol.ts'

/** How a refusal is answered. */
export interface ErrorKind {
  /** The HTTP status. */
  status: number
  /** The `errorCode` on the wire. */
  wire: SyncErrorCode
  /** Whether the same request can succeed later. */
  retryable: boolean
  meaning: string
  operator: string
}

const none = 'Nothing: the client is told what to change.'

export const errorKinds = {
  INVALID_REQUEST: { status: 400, wire: 'VALIDATION_ERROR', retryable: false, meaning: 'The body or a parameter does not have the documented shape.', operator: none },
  UNAUTHENTICATED: { status: 401, wire: 'UNAUTHORIZED', retryable: false, meaning: 'No session: nobody is signed in.', operator: 'If it happens to everybody, register an auth provider (README, "Signing in").' },
  FORBIDDEN: { status: 403, wire: 'UNAUTHORIZED', retryable: false, meaning: 'The session may not do this, or not in this workspace.', operator: none },
  CROSS_SITE: { status: 403, wire: 'UNAUTHORIZED', retryable: false, meaning: 'A request that changes state came from another site.', operator: none },
  NOT_FOUND: { status: 404, wire: 'NOT_FOUND', retryable: false, meaning: 'There is no such thing, or none the caller may know of.', operator: none },
  CONFLICT: { status: 409, wire: 'CONFLICT', retryable: false, meaning: 'The request contradicts what is stored.', operator: none },
  LAST_OWNER: { status: 409, wire: 'CONFLICT', retryable: false, meaning: 'A workspace keeps at least one owner.', operator: none },
  CURSOR_REGRESSED: { status: 409, wire: 'CONFLICT', retryable: false, meaning: 'A device cursor only moves forward.', operator: none },
  SNAPSHOT_EXPIRED: { status: 410, wire: 'CONFLICT', retryable: true, meaning: 'The snapshot is too old to be continued; start over without a page token.', operator: none },
  BODY_TOO_LARGE: { status: 413, wire: 'OVERSIZED', retryable: false, meaning: 'The body is larger than the server reads.', operator: 'Raise `maxBodyBytes` if devices really send that much.' },
  UNSUPPORTED_ENCODING: { status: 415, wire: 'VALIDATION_ERROR', retryable: false, meaning: 'The body is compressed.', operator: none },
  QUOTA_EXCEEDED: { status: 413, wire: 'OVERSIZED', retryable: false, meaning: 'A file, or an op, would take the workspace or its owner over the quota; nothing of it was kept. Deletes are still taken.', operator: 'Raise `maxWorkspaceBytes`, `maxOwnerBytes` or their rows (a file: the workspace\'s quota in the host), or have data deleted.' },
  RATE_LIMITED: { status: 429, wire: 'RATE_LIMITED', retryable: true, meaning: 'Too many requests or bytes of this user, or for a session from this address, in the last minute or at one moment; `Retry-After` says how long to wait.', operator: 'Raise the operation\'s limit if the use is legitimate; behind a proxy set `trustedProxies`.' },
  SERVER_BUSY: { status: 503, wire: 'SERVER_ERROR', retryable: true, meaning: 'The server holds as many bytes or requests as it may; nothing was read.', operator: 'Look at `or3_sync_limited_total`; bound connections per address in the proxy, or raise `maxBytesInFlight` where there is memory.' },
  AUTH_UNAVAILABLE: { status: 503, wire: 'SERVER_ERROR', retryable: true, meaning: 'The auth provider failed, so nobody can tell who is asking; nobody was signed out.', operator: 'Read the log: the provider\'s own error stands there.' },
  DATABASE_BUSY: { status: 503, wire: 'SERVER_ERROR', retryable: true, meaning: 'Another process held the database for too long; nothing was written.', operator: 'Look for a process that keeps a write lock on the file.' },
  DATABASE_FULL: { status: 503, wire: 'SERVER_ERROR', retryable: true, meaning: 'The disk is full: writes are refused, reads go on.', operator: 'Make room; writes resume without a restart.' },
  DATABASE_UNAVAILABLE: { status: 503, wire: 'SERVER_ERROR', retryable: true, meaning: 'The database is not open, or failed; nothing was written.', operator: 'Read the server log around the request id.' },
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof errorKinds

/** What a refused request's answer holds in `data`. */
export interface ErrorData { code: ErrorCode, retryable: boolean }
