/**
 * The rights of a request that goes on for long, read anew: the same auth provider and the same roles that decide on a
 * pull. What the app's middleware has left on the event is not made anew; a stream is reopened for that.
 */
import { ServerResponse } from 'node:http'
import { createEvent, type H3Event } from 'h3'
import { authorize, forgetSession } from '../../auth/session.ts'
import type { SignedInSession } from '../../auth/session-context.ts'
import { createSyncError } from '../../errors.ts'
import { exemptRepeat } from '../admission.ts'

/** The session of now. Throws as `authorize` does, and UNAUTHENTICATED where it is of another user than before. */
export async function readRights(event: H3Event, workspaceId: string, userId?: string): Promise<SignedInSession> {
  const session = await authorize(repeatRequest(event), 'workspace.read', { workspaceId })
  if (userId === undefined || session.user.id === userId) return session
  throw createSyncError('UNAUTHENTICATED', 'Somebody else is signed in now.')
}

/**
 * The same request with nothing of a session remembered. Its answer goes nowhere: a provider may want to set a cookie,
 * and the headers have been sent.
 */
function repeatRequest({ node: { req }, context }: H3Event): H3Event {
  const event = createEvent(req, new ServerResponse(req))
  // h3 keeps opened cookie sessions here, as long as the request.
  const { sessions: _, ...rest } = context
  event.context = rest
  forgetSession(event)
  exemptRepeat(event)
  return event
}
