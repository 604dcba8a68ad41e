/**
 * Every refusal that the layer answers, in one place: its HTTP status, the wire's `errorCode`, whether a retry can
 * help, and what a client and an operator do about it. `docs/error-codes.md` is made from this table.
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
  /** What a client does with it. */
  client: string
  /** What an operator does about it. */
  operator: string
}

const none = 'Nothing: the client is told what to change.'
const fix = 'Change the request; the same one is refused again.'
const retry = 'Keep what is pending and retry with a growing delay.'

export const errorKinds = {
  INVALID_REQUEST: {
    status: 400, wire: 'VALIDATION_ERROR', retryable: false, client: fix, operator: none,
    meaning: 'The body or a parameter does not have the documented shape.',
  },
  UNAUTHENTICATED: {
    status: 401, wire: 'UNAUTHORIZED', retryable: false,
    meaning: 'No session: nobody is signed in.',
    client: 'Stop, keep what is pending, and let the user sign in. Go on where the same user comes back.',
    operator: 'If it happens to everybody, register an auth provider (README, "Signing in").',
  },
  FORBIDDEN: {
    status: 403, wire: 'UNAUTHORIZED', retryable: false, client: 'Tell the user; do not repeat it.', operator: none,
    meaning: 'The role in this workspace does not permit this, or the device or page token is another user\'s.',
  },
  READ_ONLY: {
    status: 403, wire: 'UNAUTHORIZED', retryable: false, operator: none,
    meaning: 'The user is a viewer of this workspace and wants to write.',
    client: 'Stop pushing to this workspace and go on pulling. Keep what is pending: the role may change.',
  },
  NOT_A_MEMBER: {
    status: 403, wire: 'UNAUTHORIZED', retryable: false, operator: none,
    meaning: 'The user is no member of the named workspace, or it is deleted, or there is none.',
    client: 'Stop syncing this workspace; the others go on. Keep what is pending until the user decides.',
  },
  WORKSPACE_NOT_ACTIVE: {
    status: 403, wire: 'UNAUTHORIZED', retryable: false, operator: none,
    meaning: 'Only in an OR3 host: the request names another workspace than the session\'s active one.',
    client: 'Keep what is pending; go on when that workspace is the active one again.',
  },
  CROSS_SITE: {
    status: 403, wire: 'UNAUTHORIZED', retryable: false, operator: none,
    meaning: 'A request that changes state came from another site.',
    client: 'Send it from a page of the server\'s origin, or with a bearer token and no cookie.',
  },
  NOT_FOUND: {
    status: 404, wire: 'NOT_FOUND', retryable: false, client: 'Read the list again; do not repeat it.', operator: none,
    meaning: 'There is no such thing, or none the caller may know of.',
  },
  METHOD_NOT_ALLOWED: {
    status: 405, wire: 'VALIDATION_ERROR', retryable: false, operator: none,
    meaning: 'The path does not take this method.',
    client: 'Use a method that the header `Allow` names.',
  },
  CONFLICT: {
    status: 409, wire: 'CONFLICT', retryable: false, operator: none,
    meaning: 'The request contradicts what is stored.',
    client: 'Read what is stored and decide anew. An op that reuses an opId gets a new opId.',
  },
  LAST_OWNER: {
    status: 409, wire: 'CONFLICT', retryable: false, operator: none,
    meaning: 'A workspace keeps at least one owner.',
    client: 'Ask the user to make another member owner first.',
  },
  CURSOR_REGRESSED: {
    status: 409, wire: 'CONFLICT', retryable: false, operator: none,
    meaning: 'A device cursor only moves forward.',
    client: 'Ignore it and report again after the next pull. If it stays, take a new device id.',
  },
  SNAPSHOT_EXPIRED: {
    status: 410, wire: 'CONFLICT', retryable: true, operator: none,
    meaning: 'The snapshot is too old to be continued.',
    client: 'Start the snapshot over, without a page token.',
  },
  BODY_TOO_LARGE: {
    status: 413, wire: 'OVERSIZED', retryable: false,
    meaning: 'The body is larger than the server reads.',
    client: 'Send fewer ops in one push.',
    operator: 'Raise `maxBodyBytes` if devices really send that much.',
  },
  UNSUPPORTED_ENCODING: {
    status: 415, wire: 'VALIDATION_ERROR', retryable: false, operator: none,
    meaning: 'The body is compressed.',
    client: 'Send the body as it is, without a content-encoding.',
  },
  QUOTA_EXCEEDED: {
    status: 413, wire: 'OVERSIZED', retryable: false,
    meaning: 'A file would take the workspace over its storage quota; nothing was reserved.',
    client: 'Tell the user.',
    operator: 'Raise the workspace\'s quota in the host, or have files deleted.',
  },
  RATE_LIMITED: {
    status: 429, wire: 'RATE_LIMITED', retryable: true,
    meaning: 'Too many requests or bytes of this user, or for a session from this address, in the last minute or at '
      + 'once.',
    client: 'Wait for as many seconds as `Retry-After` says, then send the same again.',
    operator: 'Raise the operation\'s limit if the use is legitimate; behind a proxy set `trustedProxies`.',
  },
  SERVER_BUSY: {
    status: 503, wire: 'SERVER_ERROR', retryable: true, client: retry,
    meaning: 'The server holds as many bytes or requests at once as it may; nothing was read.',
    operator: 'Look at `or3_sync_limited_total`. Bound connections in the proxy, or raise `maxBytesInFlight`.',
  },
  AUTH_UNAVAILABLE: {
    status: 503, wire: 'SERVER_ERROR', retryable: true, client: retry,
    meaning: 'The auth provider failed, so nobody can tell who is asking; nobody was signed out.',
    operator: 'Read the log: the provider\'s own error stands there.',
  },
  DATABASE_BUSY: {
    status: 503, wire: 'SERVER_ERROR', retryable: true, client: retry,
    meaning: 'Another process held the database for too long; nothing was written.',
    operator: 'Look for a process that keeps a write lock on the file.',
  },
  DATABASE_FULL: {
    status: 503, wire: 'SERVER_ERROR', retryable: true, client: `${retry} Reads go on.`,
    meaning: 'The disk is full, or at its reserve: writes, or puts alone, are refused; reads go on.',
    operator: 'Make room; writes resume without a restart.',
  },
  DATABASE_MOVED: {
    status: 503, wire: 'SERVER_ERROR', retryable: true,
    meaning: 'The database file is no longer the one at its path, so no write is acknowledged.',
    client: retry,
    operator: 'Put the file back, or restart the server to open the one that is there now (docs/troubleshooting.md).',
  },
  DATABASE_UNAVAILABLE: {
    status: 503, wire: 'SERVER_ERROR', retryable: true, client: retry,
    meaning: 'The database is not open, or failed; nothing was written.',
    operator: 'Read the server log around the request id.',
  },
} as const satisfies Record<string, ErrorKind>

/** The code of a refused request. */
export type ErrorCode = keyof typeof errorKinds

/** What a refused request's answer holds in `data`. */
export interface ErrorData { code: ErrorCode, retryable: boolean }

/** How a refused op's receipt is answered: one of the wire's codes, and what a client does with that op. */
export interface OpRefusalKind { retryable: boolean, meaning: string, client: string }

/** Every `errorCode` that a receipt of an op can have. */
export const opRefusals = {
  VALIDATION_ERROR: {
    retryable: false, client: 'Show `error`, keep the user\'s text, drop the op or let it be edited.',
    meaning: 'Unknown table, payload of a wrong shape, an id, clock or text that cannot be stored.',
  },
  OVERSIZED: {
    retryable: false, client: 'As with VALIDATION_ERROR: the row has to become smaller, or others be deleted.',
    meaning: 'The payload is larger than 262,144 bytes of JSON; or, where `error` begins with QUOTA_EXCEEDED, the '
      + 'workspace or its owner may keep no more.',
  },
  UNAUTHORIZED: {
    retryable: false, client: 'As with VALIDATION_ERROR; the stored row stays another user\'s.',
    meaning: 'The row belongs to another user, or its owner field does not name the signed-in one.',
  },
  CONFLICT: {
    retryable: false, client: 'Make the edit again under a new opId.',
    meaning: 'The opId was used before with another content.',
  },
  RATE_LIMITED: {
    retryable: true, client: 'Keep the op, pull (a snapshot is due), then push it again after the seconds in `error`.',
    meaning: 'The device is behind the horizon and has to learn of deletes first; or the disk is at its reserve.',
  },
} as const satisfies Partial<Record<SyncErrorCode, OpRefusalKind>>

/** The `errorCode` of a refused op. */
export type OpRefusalCode = keyof typeof opRefusals
