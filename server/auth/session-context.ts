/**
 * The resolved session as the host's contract has it, and how to find it on a request.
 * A host (or this layer's own `session.ts`) leaves it on `event.context` under a key made of the request id and the
 * auth provider; readers find it by prefix. Pure: it reads what is there and resolves nothing.
 */
import type { H3Event } from 'h3'
import type { WorkspaceRole } from '../workspaces/store/types.ts'

export interface SessionContext {
  authenticated: boolean
  provider?: string
  providerUserId?: string
  /** The internal user, not the provider's. */
  user?: { id: string, email?: string, displayName?: string }
  /** The active workspace: the only one the session has rights in. */
  workspace?: { id: string, name: string }
  role?: WorkspaceRole
  /** ISO 8601. */
  expiresAt?: string
  deploymentAdmin?: boolean
}

/** What every permission is decided on: somebody is signed in and has a role in the active workspace. */
export interface SignedInSession extends SessionContext {
  authenticated: true
  provider: string
  providerUserId: string
  user: NonNullable<SessionContext['user']>
  workspace: NonNullable<SessionContext['workspace']>
  role: WorkspaceRole
}

const keyPrefix = '__or3_session_context_'

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

/** For whoever resolves it anew: a request keeps no more than one. */
export function dropSessionContext({ context }: Pick<H3Event, 'context'>): void {
  for (const key of Object.keys(context)) {
    if (key.startsWith(keyPrefix)) context[key] = undefined
  }
}

function isSessionContext(value: unknown): value is SessionContext {
  return typeof value === 'object' && value !== null && 'authenticated' in value
    && typeof value.authenticated === 'boolean'
}
