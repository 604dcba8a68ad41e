/**
 * From a request to a session: the provider says who it is, the store which user, workspace and role that is now.
 * Kept for the one request only, so a change of role, membership or active workspace is seen by the next.
 */
import { randomUUID } from 'node:crypto'
import type { H3Event } from 'h3'
import { createSyncError } from '../errors.ts'
import { admitUser } from '../http/admission.ts'
import { refuseCrossSite } from '../http/origin.ts'
import { activeAuthProviderId, readAuthSession, type AuthSession } from './provider.ts'
import { can, type Permission } from './roles.ts'
import { dropSessionContext, sessionContextKey, type SessionContext, type SignedInSession } from './session-context.ts'
import { getAuthWorkspaceStore } from '../workspaces/store/registry.ts'
import type { AccountInput, AuthWorkspaceStore } from '../workspaces/store/types.ts'

/** The id the layer registers its store under. */
export const storeId = 'sqlite'

type Resolved = SignedInSession | (SessionContext & { authenticated: false })
const resolvedByRequest = new WeakMap<H3Event, Promise<Resolved>>()

/**
 * The session of the request, or null for nobody. Throws AUTH_UNAVAILABLE, RATE_LIMITED where too many of the user's
 * requests are under way, and the database's refusals.
 */
export async function resolveSession(event: H3Event): Promise<SignedInSession | null> {
  const provider = activeAuthProviderId()
  if (provider === null) return null
  let resolving = resolvedByRequest.get(event)
  if (!resolving) {
    resolving = resolve(event, provider)
    resolvedByRequest.set(event, resolving)
  }
  const resolved = await resolving
  return resolved.authenticated ? resolved : null
}

/** After a wait: who was signed in, or had a right, when the request began may have neither now. */
export function forgetSession(event: H3Event): void {
  resolvedByRequest.delete(event)
  dropSessionContext(event)
}

/** Throws UNAUTHENTICATED, and CROSS_SITE where a request that changes state comes from another site. */
export async function requireSession(event: H3Event): Promise<SignedInSession> {
  refuseCrossSite(event)
  const session = await resolveSession(event)
  if (!session) throw unauthenticated()
  return session
}

/**
 * The session, where it may do this; with a workspace id only where that is its active one.
 * Throws UNAUTHENTICATED, FORBIDDEN, CROSS_SITE.
 */
export async function authorize(
  event: H3Event,
  permission: Permission,
  { workspaceId }: { workspaceId?: string } = {},
): Promise<SignedInSession> {
  const session = await requireSession(event)
  const resource = workspaceId === undefined ? undefined : { kind: 'workspace' as const, id: workspaceId }
  if (!can(session, permission, resource)) {
    throw createSyncError('FORBIDDEN', 'Not permitted: it takes the right role, in the active workspace.')
  }
  return session
}

/**
 * The signed-in account, before it has a user or a workspace here. Throws UNAUTHENTICATED, CROSS_SITE,
 * AUTH_UNAVAILABLE.
 */
export async function requireAccount(event: H3Event): Promise<AccountInput> {
  refuseCrossSite(event)
  const provider = activeAuthProviderId()
  const session = provider === null ? null : await readAuthSession(event)
  if (provider === null || !session) throw unauthenticated()
  return toAccount(provider, session)
}

/** The layer's store, whose members and invites its routes need. Throws DATABASE_UNAVAILABLE where there is none. */
export function requireStore(): Required<AuthWorkspaceStore> {
  const store = getAuthWorkspaceStore(storeId)
  if (!store || !isComplete(store)) {
    throw createSyncError('DATABASE_UNAVAILABLE', `No complete user and workspace store "${storeId}" is registered.`)
  }
  return store
}

/**
 * For the end of the start, when the app's plugins have registered: one warning where nobody will be able to sign in.
 * With a host, which has sessions and a registry of its own, there is nothing to warn of.
 */
export function warnWithoutProvider(): void {
  if (getAuthWorkspaceStore(storeId)) activeAuthProviderId()
}

/** Leaves what it finds on the event, where the host does and the sync adapter looks. */
async function resolve(event: H3Event, provider: string): Promise<Resolved> {
  const session = await readAuthSession(event)
  const resolved = session
    ? await resolveUser(toAccount(provider, session), session.expiresAt)
    : { authenticated: false as const }
  if (resolved.authenticated) admitUser(event, resolved.user.id)
  event.context[sessionContextKey(randomUUID(), provider)] = resolved
  return resolved
}

async function resolveUser(account: AccountInput, expiresAt: Date | undefined): Promise<SignedInSession> {
  const store = requireStore()
  const { userId } = await store.getOrCreateUser(account)
  const { provider, providerUserId, email, displayName } = account
  return {
    authenticated: true,
    provider,
    providerUserId,
    user: { id: userId, email, displayName },
    ...await resolveWorkspace(store, userId),
    expiresAt: expiresAt?.toISOString(),
  }
}

/** Between the two reads a membership can end; the next try finds the workspace that took its place. */
async function resolveWorkspace(
  store: AuthWorkspaceStore,
  userId: string,
): Promise<Pick<SignedInSession, 'workspace' | 'role'>> {
  for (let tries = 0; tries < 3; tries++) {
    const { workspaceId, workspaceName } = await store.getOrCreateDefaultWorkspace(userId)
    const role = await store.getWorkspaceRole({ userId, workspaceId })
    if (role) return { workspace: { id: workspaceId, name: workspaceName }, role }
  }
  throw createSyncError('AUTH_UNAVAILABLE', 'The session\'s workspace changed while it was read; try again.')
}

function toAccount(provider: string, { user }: AuthSession): AccountInput {
  return {
    provider,
    providerUserId: user.id,
    email: user.email ?? undefined,
    displayName: user.displayName ?? undefined,
  }
}

function unauthenticated() {
  return createSyncError('UNAUTHENTICATED', 'Sign in first.')
}

const optionalMethods = [
  'getUser', 'createInvite', 'listInvites', 'revokeInvite', 'validateInvite', 'acceptInviteAndProvisionUser',
  'consumeInvite', 'listMembers', 'setMemberRole', 'removeMember',
] as const satisfies readonly (keyof AuthWorkspaceStore)[]

function isComplete(store: AuthWorkspaceStore): store is Required<AuthWorkspaceStore> {
  return optionalMethods.every(method => typeof store[method] === 'function')
}
