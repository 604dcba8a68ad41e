/**
 * Who asks. The endpoint has authorised the request; the adapter checks once more that a session, where there is one,
 * is in the workspace it asks for. A maintenance job comes with an empty event and no session.
 */
import type { H3Event } from 'h3'
import { readSessionContext } from '../auth/session-context.ts'
import { fail } from '../errors.ts'
import { isCleanText } from './json.ts'
import { maxIdLength } from './limits.ts'

export interface Caller {
  workspaceId: string
  /** The internal user id; null without a session. */
  userId: string | null
}

/** Throws 400 for an unusable workspace id, 403 for a session in another workspace or with an unusable user id. */
export function identifyCaller(event: H3Event, workspaceId: string): Caller {
  if (workspaceId === '' || workspaceId.length > maxIdLength || !isCleanText(workspaceId)) {
    throw fail('INVALID_REQUEST', `scope.workspaceId must have 1 to ${maxIdLength} characters`)
  }
  const session = readSessionContext(event)
  if (session && session.workspace?.id !== workspaceId) {
    throw fail('FORBIDDEN', 'The session is not in this workspace: make it the active one first')
  }
  const userId = session?.user?.id ?? null
  // SQLite would store half a surrogate pair, and the driver ends the process when it reads one.
  if (userId !== null && !isCleanText(userId)) throw fail('FORBIDDEN', 'The session\'s user id is not usable text')
  return { workspaceId, userId }
}
