/**
 * The rights of a request that goes on for long, read anew: the same auth provider and the same roles that decide on a
 * pull. What the app's middleware has left on the event is not made anew; a stream is reopened for that.
 */
import { type IncomingMessage, ServerResponse } from 'node:http'
import { createEvent, type H3Event } from 'h3'
import { authorize, forgetSession } from '../../auth/session.ts'
import type { SignedInSession } from '../../auth/session-context.ts'
import { createSyncError } from '../../errors.ts'
import { exemptRepeat } from '../admission.ts'

/**
 * Returns what reads the session of now: it throws as `authorize` does, and UNAUTHENTICATED where the session is of
 * another user than `userId`. Of the event it keeps the request and its context, since thousands may be held for long.
 */
export function createRightsReader(
  event: H3Event, workspaceId: string, userId: string,
): () => Promise<SignedInSession> {
  const { req } = event.node
  // h3 keeps opened cookie sessions here, as long as the request; and the layer a reader that holds the event.
  const { sessions: _, or3SyncPage: __, ...context } = event.context
  return async () => {
    const session = await authorize(repeatRequest(req, context), 'workspace.read', { workspaceId })
    if (session.user.id === userId) return session
    throw createSyncError('UNAUTHENTICATED', 'Somebody else is signed in now.')
  }
}

/**
 * The same request with nothing of a session remembered. Its answer goes nowhere: a provider may want to set a cookie,
 * and the headers have been sent.
 */
function repeatRequest(request: IncomingMessage, context: H3Event['context']): H3Event {
  const event = createEvent(request, new ServerResponse(request))
  event.context = { ...context }
  forgetSession(event)
  exemptRepeat(event)
  return event
}
