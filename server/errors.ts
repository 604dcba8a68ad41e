/**
 * The one error class of the layer: a refusal with a code of `shared/error-codes.ts`. It knows no HTTP;
 * `http/errors.ts` and `host/errors.ts` turn it into an answer. A message names what was wrong and what would be right.
 * It never carries driver text or another tenant's data.
 */
import { type ErrorCode, errorKinds } from '../shared/error-codes.ts'

/** A request that is refused. `cause` is for the log and never answered. */
export class SyncError extends Error {
  override name = 'SyncError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.code = code
  }

  /** Whether the same request can succeed later. */
  get retryable(): boolean {
    return errorKinds[this.code].retryable
  }
}

/** Makes the error for `code`. */
export function createSyncError(code: ErrorCode, message: string, options: { cause?: unknown } = {}): SyncError {
  return new SyncError(code, message, options)
}

/** True for a refusal that was made on purpose, and may be answered as it is. */
export function isSyncError(error: unknown): error is SyncError {
  return error instanceof SyncError
}
