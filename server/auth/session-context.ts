/**
 * The resolved session as the host's contract has it, and how to find it on a request.
 * A host (or this layer's own `session.ts`) leaves it on `event.context` under a key made of the request id and the
 * auth provider; readers find it by prefix. Pure: it reads what is there and resolves nothing.
 */
import type { H3Event } from 'h3'
import type { WorkspaceRole } from '../workspaces/store/types.ts'

export interface SessionContext {
  authenticated: boolean
  provider?: string | undefined
  providerUserId?: string | undefined
  /** The internal user, not the provider's. */
  user?: { id: string, email?: string | undefined, displayName?: string | undefined } | undefined
  /** Of a host's session, and of one that `authorize` was not asked about another: the active workspace. */
  workspace?: { id: string, name: string } | undefined
  role?: WorkspaceRole | undefined
  /** ISO 8601. */
  expiresAt?: string | undefined
  deploymentAdmin?: boolean | undefined
}

/** Somebody is signed in; no workspace has been looked at. */
export interface SignedInUser extends SessionContext {
  authenticated: true
  provider: string
  providerUserId: string
  user: NonNullable<SessionContext['user']>
}

/** A signed-in user and their role in one workspace. */
export interface SignedInSession extends SignedInUser {
  workspace: NonNullable<SessionContext['workspace']>
  role: WorkspaceRole
}

const keyPrefix = '__or3_session_context_'

/** The key under which a session is left on the event's context. */
export function sessionContextKey(requestId: string, providerId: string): string {
  return `${keyPrefix}${requestId}_${providerId}`
}

/**
 * The session left on the request, or null where none was resolved (an in-process job hands over an event of `{}`).
 * A request of nobody may carry one too, with `authenticated: false`.
 */
export function readSessionContext(event: Partial<Pick<H3Event, 'context'>>): SessionContext | null {
  const context: Record<string, unknown> = event.context ?? {}
  for (const key of Object.keys(context)) {
    if (key.startsWith(keyPrefix) && isSessionContext(context[key])) return context[key]
  }
  return null
}

/** Removes the session from the request, so that it can be resolved again. */
export function dropSessionContext({ context }: Pick<H3Event, 'context'>): void {
  for (const key of Object.keys(context)) {
    if (key.startsWith(keyPrefix)) context[key] = undefined
  }
}

function isSessionContext(value: unknown): value is SessionContext {
  return typeof value === 'object' && value !== null && 'authenticated' in value
    && typeof value.authenticated === 'boolean'
}
