/** People and workspaces for tests of a store. */
import { expect, onTestFinished, vi } from 'vitest'
import type { AuthWorkspaceStore, WorkspaceRole } from '../../server/workspaces/store/types.ts'

export type CompleteStore = Required<AuthWorkspaceStore>
/** Called at the start of each test: an empty store, cleaned up by the maker. */
export type MakeStore = () => Promise<CompleteStore>

export async function signIn(store: CompleteStore, name: string): Promise<string> {
  const { userId } = await store.getOrCreateUser({ provider: 'p', providerUserId: name, email: `${name}@example.org` })
  return userId
}

/** Lets `userId` into the workspace by an invite. */
export async function admit(
  store: CompleteStore,
  ownerId: string,
  workspaceId: string,
  userId: string,
  role: WorkspaceRole,
): Promise<void> {
  const tokenHash = crypto.randomUUID()
  const email = `${tokenHash}@example.org`
  await store.createInvite({ workspaceId, email, role, invitedByUserId: ownerId, expiresAt: inAnHour(), tokenHash })
  const accepted = await store.consumeInvite({ workspaceId, email, tokenHash, acceptedUserId: userId })
  expect(accepted).toEqual({ ok: true, role })
}

/** A workspace with Ann as owner, Eve as editor, Vic as viewer, in that order. */
export async function team(store: CompleteStore) {
  const [ann, eve, vic] = [await signIn(store, 'ann'), await signIn(store, 'eve'), await signIn(store, 'vic')]
  const { workspaceId } = await store.createWorkspace({ userId: ann, name: 'Team' })
  await admit(store, ann, workspaceId, eve, 'editor')
  await admit(store, ann, workspaceId, vic, 'viewer')
  return { workspaceId, ann, eve, vic }
}

export function inAnHour(): number {
  return Math.floor(Date.now() / 1000) + 3600
}

/** A clock of the test's own, in seconds. */
export function startClock() {
  vi.useFakeTimers({ toFake: ['Date'] })
  onTestFinished(() => {
    vi.useRealTimers()
  })
  return { advance: (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000) }
}

/** The call is refused in the same words for an existing id and for one that nobody has. */
export async function expectAlike(call: (id: string) => Promise<unknown>, existing: string): Promise<void> {
  const refusalOf = (id: string) => call(id).then(
    () => 'not refused',
    ({ statusCode, message, data }) => ({ statusCode, message, data }),
  )
  const refusal = await refusalOf(existing)
  expect(refusal).toEqual(await refusalOf('nobody-has-this-id'))
  expect(refusal).toMatchObject({ statusCode: 404, data: { code: 'NOT_FOUND' } })
}

export interface InviteOptions { email?: string, role?: WorkspaceRole, expiresAt?: number, tokenHash?: string }

/** An invite, and what it takes to accept it. */
export async function invite(
  store: CompleteStore,
  workspaceId: string,
  invitedByUserId: string,
  options: InviteOptions = {},
) {
  const { role = 'viewer', expiresAt = inAnHour(), tokenHash = crypto.randomUUID() } = options
  const email = options.email ?? `${tokenHash}@example.org`
  const { inviteId } = await store.createInvite({ workspaceId, email, role, invitedByUserId, expiresAt, tokenHash })
  return { inviteId, workspaceId, email, tokenHash }
}
