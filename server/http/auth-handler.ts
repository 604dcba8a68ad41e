/** What the routes about users and workspaces share: an answer is for who asked, so neither browser nor proxy stores it. */
import { type H3Event, setResponseHeader } from 'h3'
import type { ZodType } from 'zod'
import { defineHandler } from './errors.ts'
import { countRequest } from './rate-limit.ts'
import type { SignedInSession } from '../auth/session-context.ts'
import { authorize, forgetSession, requireSession } from '../auth/session.ts'
import { readJsonBody } from './body.ts'

export function defineAuthHandler<T>(serve: (event: H3Event) => T) {
  return defineHandler((event) => {
    setResponseHeader(event, 'Cache-Control', 'no-store')
    return serve(event)
  })
}

/**
 * The session of who wants to change a workspace, its members or invites: the store decides whether they may. All of a
 * user's count, for each is a write. Throws UNAUTHENTICATED, FORBIDDEN, CROSS_SITE, RATE_LIMITED.
 */
export async function authorizeChange(event: H3Event): Promise<SignedInSession> {
  const session = await authorize(event, 'workspace.read')
  countRequest(event, 'workspaces', session.user.id)
  return session
}

/**
 * The body of a request that changes something. It may have taken minutes, so the session is looked at again after it.
 * Throws UNAUTHENTICATED where it has ended, and as `readJsonBody` does.
 */
export async function readChangeBody<T>(event: H3Event, schema: ZodType<T>, look: (event: H3Event) => Promise<unknown> = requireSession): Promise<T> {
  const isHere = event.node.req.complete
  const body = await readJsonBody(event, schema)
  if (isHere) return body
  forgetSession(event)
  await look(event)
  return body
}
