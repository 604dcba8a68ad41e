/** The caller behind a host's call: the user of the session on the event, or the host's own maintenance. */
import type { H3Event } from 'h3'
import { readSessionContext } from '../../auth/session-context.ts'
import { createSyncError } from '../../errors.ts'
import { type Caller, createSystemCaller, createUserCaller, type UserCaller } from '../../sync/caller.ts'

/**
 * The session's user in its active workspace; the engine refuses a request that names another. Throws UNAUTHENTICATED
 * without a user, FORBIDDEN without a workspace.
 */
export function readUserCaller(event: H3Event): UserCaller {
  const session = readSessionContext(event)
  if (!session?.user) throw createSyncError('UNAUTHENTICATED', 'The request has no session')
  if (!session.workspace) throw createSyncError('FORBIDDEN', 'The session has no active workspace')
  return createUserCaller(session.workspace.id, session.user.id)
}

/**
 * The same for what a host's maintenance job may ask too: the contract has it call with an event of `{}`, which no
 * request can bring, since h3 gives every request's event a Node request and a context.
 */
export function readCaller(event: Partial<H3Event>, workspaceId: unknown): Caller {
  const isJob = event.node === undefined && event.context === undefined
  return isJob ? createSystemCaller(workspaceId) : readUserCaller(event as H3Event)
}
