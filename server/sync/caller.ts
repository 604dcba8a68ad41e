/**
 * For whom the engine works: a user in one workspace, or the system itself. A right never follows from something being
 * absent, so both are said explicitly.
 */
import { maxIdLength } from '../../shared/limits.ts'
import { createSyncError } from '../errors.ts'
import { isId, isStorable } from '../lib/storable-text.ts'

/** A signed-in user who has been authorised in this workspace. */
export interface UserCaller {
  kind: 'user'
  workspaceId: string
  /** The internal user id. */
  userId: string
}

/** Maintenance and the server's own code. */
export interface SystemCaller {
  kind: 'system'
  workspaceId: string
}

export type Caller = UserCaller | SystemCaller

/** Throws INVALID_REQUEST for an unusable workspace id, FORBIDDEN for an unusable user id. */
export function createUserCaller(workspaceId: unknown, userId: string): UserCaller {
  assertWorkspaceId(workspaceId)
  // SQLite would store half a surrogate pair, and the driver ends the process when it reads one.
  if (!isStorable(userId)) throw createSyncError('FORBIDDEN', 'The session\'s user id is not usable text')
  return { kind: 'user', workspaceId, userId }
}

/** Throws INVALID_REQUEST for an unusable workspace id. */
export function createSystemCaller(workspaceId: unknown): SystemCaller {
  assertWorkspaceId(workspaceId)
  return { kind: 'system', workspaceId }
}

/**
 * A request acts in its caller's workspace only. Throws WORKSPACE_NOT_ACTIVE for another one, which only a host's can
 * be.
 */
export function assertScope(caller: Caller, scope: { workspaceId: string }): void {
  if (scope.workspaceId !== caller.workspaceId) {
    throw createSyncError('WORKSPACE_NOT_ACTIVE', 'The session is not in this workspace: make it the active one first')
  }
}

function assertWorkspaceId(workspaceId: unknown): asserts workspaceId is string {
  if (!isId(workspaceId)) {
    throw createSyncError('INVALID_REQUEST', `scope.workspaceId must have 1 to ${maxIdLength} characters`)
  }
}
