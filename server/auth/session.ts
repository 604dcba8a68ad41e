/**
 * From a request to a user, and to the user's role in a workspace. The auth provider says who is signed in; the store
 * knows the user, the workspaces and the roles. A request that names a workspace is decided by the role in that one.
 * Results are kept for one request only, so the next request sees a changed role or membership. Upholds P8.
 */
import { randomUUID } from 'node:crypto'
import type { H3Event } from 'h3'
import { createSyncError } from '../errors.ts'
import { admitUser } from '../http/admission.ts'
import { refuseCrossSite } from '../http/origin.ts'
import { getAuthWorkspaceStore } from '../workspaces/store/registry.ts'
import type { AccountInput, AuthWorkspaceStore, WorkspaceRole } from '../workspaces/store/types.ts'
import { activeAuthProviderId, readAuthSession, type AuthSession } from './provider.ts'
import { mayDo, type Permission } from './roles.ts'
import { dropSessionContext, sessionContextKey, type SignedInSession, type SignedInUser } from './session-context.ts'

/** The id the layer registers its store under. */
const storeId = 'sqlite'

const usersByRequest = new WeakMap<H3Event, Promise<SignedInUser | null>>()
const accountsByRequest = new WeakMap<H3Event, Promise<SignedInAccount | null>>()
const sessionsByRequest = new WeakMap<H3Event, Promise<SignedInSession | null>>()

/**
 * The signed-in user, or null. Reads no workspace. Throws AUTH_UNAVAILABLE, RATE_LIMITED where too many of the user's
 * requests are under way, and the database's refusals.
 */
function resolveUser(event: H3Event): Promise<SignedInUser | null> {
  return once(usersByRequest, event, () => readUser(event))
}

/**
 * The signed-in user with their active workspace, or null. A user who has no workspace gets one.
 * Throws AUTH_UNAVAILABLE and the database's refusals.
 */
export function resolveSession(event: H3Event): Promise<SignedInSession | null> {
  return once(sessionsByRequest, event, () => readSession(event))
}

/** Forgets the request's user and session. After a long wait, either may have ended. */
export function forgetSession(event: H3Event): void {
  accountsByRequest.delete(event)
  usersByRequest.delete(event)
  sessionsByRequest.delete(event)
  dropSessionContext(event)
}

/** The signed-in user. Throws UNAUTHENTICATED, and CROSS_SITE where another site asks for a change of state. */
export async function requireUser(event: H3Event): Promise<SignedInUser> {
  refuseCrossSite(event)
  const user = await resolveUser(event)
  if (!user) throw unauthenticated()
  return user
}

/** The user with their active workspace. Throws UNAUTHENTICATED, CROSS_SITE. */
export async function requireSession(event: H3Event): Promise<SignedInSession> {
  refuseCrossSite(event)
  const session = await resolveSession(event)
  if (!session) throw unauthenticated()
  return session
}

/**
 * The user with the named workspace and their role in it, where that role permits it. Without a workspace id the active
 * one is meant. Throws UNAUTHENTICATED, CROSS_SITE, NOT_A_MEMBER, READ_ONLY, FORBIDDEN.
 */
export async function authorize(
  event: H3Event,
  permission: Permission,
  { workspaceId }: { workspaceId?: string | undefined } = {},
): Promise<SignedInSession> {
  const session = workspaceId === undefined
    ? await requireSession(event)
    : await enterWorkspace(await requireUser(event), workspaceId)
  assertPermission(session.role, permission)
  return session
}

/** The user's role in the workspace, read now. Throws NOT_A_MEMBER, also for a deleted and an unknown workspace. */
async function enterWorkspace(user: SignedInUser, workspaceId: string): Promise<SignedInSession> {
  const membership = await requireStore().getMembership({ userId: user.user.id, workspaceId })
  if (!membership) throw createSyncError('NOT_A_MEMBER', 'You are not a member of this workspace.')
  return { ...user, workspace: { id: workspaceId, name: membership.workspaceName }, role: membership.role }
}

/** Throws READ_ONLY where a viewer wants to write, else FORBIDDEN. */
function assertPermission(role: WorkspaceRole, permission: Permission): void {
  if (mayDo(role, permission)) return
  if (permission === 'workspace.write') {
    throw createSyncError(
      'READ_ONLY',
      'You may read this workspace, not write to it: ask an owner for the role of an editor.',
    )
  }
  throw createSyncError('FORBIDDEN', `The role "${role}" does not permit this in this workspace.`)
}

/**
 * The signed-in account, before it has a user or a workspace here. Throws UNAUTHENTICATED, CROSS_SITE,
 * AUTH_UNAVAILABLE.
 */
export async function requireAccount(event: H3Event): Promise<AccountInput> {
  refuseCrossSite(event)
  const signedIn = await readAccount(event)
  if (!signedIn) throw unauthenticated()
  return signedIn.account
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
 * To be called at the end of the start, when the app's plugins have registered. Warns once where no auth provider is
 * registered. With a host, which has sessions and a registry of its own, there is nothing to warn of.
 */
export function warnWithoutProvider(): void {
  if (getAuthWorkspaceStore(storeId)) activeAuthProviderId()
}

function once<T>(cache: WeakMap<H3Event, Promise<T>>, event: H3Event, read: () => Promise<T>): Promise<T> {
  const known = cache.get(event)
  if (known) return known
  const reading = read()
  cache.set(event, reading)
  return reading
}

async function readUser(event: H3Event): Promise<SignedInUser | null> {
  const signedIn = await readAccount(event)
  if (!signedIn) return null
  const { userId } = await requireStore().getOrCreateUser(signedIn.account)
  admitUser(event, userId)
  return toUser(signedIn, userId)
}

interface SignedInAccount { account: AccountInput, session: AuthSession }

function toUser({ account, session }: SignedInAccount, userId: string): SignedInUser {
  const { provider, providerUserId, email, displayName } = account
  return {
    authenticated: true,
    provider,
    providerUserId,
    user: { id: userId, email, displayName },
    expiresAt: session.expiresAt?.toISOString(),
  }
}

/** Leaves the session on the event too, where a host does and the sync adapter reads it. */
async function readSession(event: H3Event): Promise<SignedInSession | null> {
  const provider = activeAuthProviderId()
  if (provider === null) return null
  const session = await readKnownSession(event) ?? await readNewSession(event)
  event.context[sessionContextKey(randomUUID(), provider)] = session ?? { authenticated: false }
  return session
}

/** The session of a known user with an active workspace takes one query; null where there is more to do. */
async function readKnownSession(event: H3Event): Promise<SignedInSession | null> {
  // Where the user has been read already, only the workspace is left.
  const signedIn = usersByRequest.has(event) ? null : await readAccount(event)
  const known = signedIn && await requireStore().findKnownSession(signedIn.account)
  if (!known) return null
  admitUser(event, known.userId)
  const user = toUser(signedIn, known.userId)
  usersByRequest.set(event, Promise.resolve(user))
  return { ...user, workspace: { id: known.workspaceId, name: known.workspaceName }, role: known.role }
}

async function readNewSession(event: H3Event): Promise<SignedInSession | null> {
  const user = await resolveUser(event)
  return user && { ...user, ...await readActiveWorkspace(user.user.id) }
}

/** A membership can end between the two reads; the next try finds the workspace that took its place. */
async function readActiveWorkspace(userId: string): Promise<Pick<SignedInSession, 'workspace' | 'role'>> {
  const store = requireStore()
  for (let tries = 0; tries < 3; tries++) {
    const { workspaceId, workspaceName } = await store.getOrCreateDefaultWorkspace(userId)
    const role = await store.getWorkspaceRole({ userId, workspaceId })
    if (role) return { workspace: { id: workspaceId, name: workspaceName }, role }
  }
  throw createSyncError('AUTH_UNAVAILABLE', 'The session\'s workspace changed while it was read; try again.')
}

/** The provider is asked once a request. */
function readAccount(event: H3Event): Promise<SignedInAccount | null> {
  return once(accountsByRequest, event, () => askProvider(event))
}

async function askProvider(event: H3Event): Promise<SignedInAccount | null> {
  const provider = activeAuthProviderId()
  const session = provider === null ? null : await readAuthSession(event)
  if (provider === null || !session) return null
  const { id, email, displayName } = session.user
  const account = { provider, providerUserId: id, email: email ?? undefined, displayName: displayName ?? undefined }
  return { account, session }
}

function unauthenticated() {
  return createSyncError('UNAUTHENTICATED', 'Sign in first.')
}

const optionalMethods = [
  'getUser', 'createInvite', 'listInvites', 'revokeInvite', 'validateInvite', 'acceptInviteAndProvisionUser',
  'consumeInvite', 'createInviteLink', 'listInviteLinks', 'revokeInviteLink', 'acceptInviteLink', 'findKnownSession',
  'getMembership', 'listMembers', 'setMemberRole', 'removeMember',
] as const satisfies readonly (keyof AuthWorkspaceStore)[]

function isComplete(store: AuthWorkspaceStore): store is Required<AuthWorkspaceStore> {
  return optionalMethods.every(method => typeof store[method] === 'function')
}
