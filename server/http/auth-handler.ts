/** What the routes about users and workspaces share. */
import { type H3Event, setResponseHeader } from 'h3'
import type { ZodType } from 'zod'
import { defineHandler } from './errors.ts'
import { countRequest } from './rate-limit.ts'
import type { SignedInUser } from '../auth/session-context.ts'
import { forgetSession, requireUser } from '../auth/session.ts'
import { readJsonBody } from './body.ts'

/** A handler whose answer neither a browser nor a proxy stores, since it is for one user. */
export function defineAuthHandler<T>(serve: (event: H3Event) => T) {
  return defineHandler((event) => {
    setResponseHeader(event, 'Cache-Control', 'no-store')
    return serve(event)
  })
}

/**
 * The user who wants to change a workspace, its members or invites; the store decides by their role in that workspace.
 * Each call counts against the limit, for each is a write. Throws UNAUTHENTICATED, CROSS_SITE, RATE_LIMITED.
 */
export async function requireChangingUser(event: H3Event): Promise<SignedInUser> {
  const user = await requireUser(event)
  countRequest(event, 'workspaces', user.user.id)
  return user
}

/**
 * The body of a request that changes something. It may have taken minutes to come, so `look` reads the user again after
 * it. Throws UNAUTHENTICATED where the session has ended, and as `readJsonBody` does.
 */
export async function readChangeBody<T>(
  event: H3Event,
  schema: ZodType<T>,
  look: (event: H3Event) => Promise<unknown> = requireUser,
): Promise<T> {
  const isHere = event.node.req.complete
  const body = await readJsonBody(event, schema)
  if (isHere) return body
  forgetSession(event)
  await look(event)
  return body
}
