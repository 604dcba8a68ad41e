/** The functions of `#or3-sync` for an app's own routes: their refusals are h3 errors, which a route may let pass. */
import type { H3Error, H3Event } from 'h3'
import type { ErrorCode, ErrorData } from '../../shared/error-codes.ts'
import type { Permission } from '../auth/roles.ts'
import type { SignedInSession } from '../auth/session-context.ts'
import * as session from '../auth/session.ts'
import { SyncError } from '../errors.ts'
import { answerErrors, toHttpError } from './errors.ts'
import * as live from './live/live.ts'

/**
 * An error that a route may throw: h3 answers it with the code's status and `data: { code, retryable }`.
 * @example throw createSyncError('NOT_FOUND', 'There is no such invoice.')
 */
export function createSyncError(
  code: ErrorCode,
  message: string,
  options: { cause?: unknown } = {},
): H3Error<ErrorData> {
  return toHttpError(new SyncError(code, message, options))
}

/**
 * The session of the request, or null where nobody is signed in. Throws AUTH_UNAVAILABLE, RATE_LIMITED and the
 * database's refusals.
 */
export function resolveSession(event: H3Event): Promise<SignedInSession | null> {
  return answerErrors(() => session.resolveSession(event))
}

/**
 * The session of the request. Throws UNAUTHENTICATED, and CROSS_SITE where a request that changes state comes from
 * another site.
 * @example const { user, workspace } = await requireSession(event)
 */
export function requireSession(event: H3Event): Promise<SignedInSession> {
  return answerErrors(() => session.requireSession(event))
}

/**
 * The user with the named workspace and their role in it, where that role permits it; without a `workspaceId`, with the
 * active workspace. Throws UNAUTHENTICATED, CROSS_SITE, NOT_A_MEMBER, READ_ONLY, FORBIDDEN.
 * @example const { user, role } = await authorize(event, 'workspace.write', { workspaceId })
 */
export function authorize(
  event: H3Event,
  permission: Permission,
  resource?: { workspaceId?: string | undefined },
): Promise<SignedInSession> {
  return answerErrors(() => session.authorize(event, permission, resource))
}

/**
 * Runs `signOut`, then closes the live streams of the request's user on all devices. Devices that are still signed in
 * come back by themselves within seconds. Throws UNAUTHENTICATED, CROSS_SITE, and what `signOut` throws.
 * @example await endSession(event, () => clearUserSession(event))
 */
export function endSession(event: H3Event, signOut: () => unknown): Promise<void> {
  return answerErrors(() => live.endSession(event, signOut))
}
