/** What the routes about users and workspaces share. */
import { type H3Event, setResponseHeader } from 'h3'
import { defineHandler } from './errors.ts'
import { countRequest } from './rate-limit.ts'
import type { SignedInUser } from '../auth/session-context.ts'
import { requireUser } from '../auth/session.ts'

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
