/** Invites that are still open: what ends them, that none is hidden, and that those which are over do not pile up. */
import { and, eq, ne } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import type { H3Event } from 'h3'
import { createAdminStoreProvider } from '../../../server/host/admin/store-provider.ts'
import type { WorkspaceRole } from '../../../server/workspaces/store/types.ts'
import { workspaceRoles } from '../../../server/auth/roles.ts'
import { createAuthWorkspaceStore } from '../../../server/host/auth-store.ts'
import { invites } from '../../../server/database/schema/index.ts'
import { admit, inAnHour, invite, signIn, startClock, team } from '../../contract/auth-store-helpers.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import { serveRoutes } from '../../helpers/http-server.ts'

type Change = WorkspaceRole | null

async function start() {
  const database = await openTestDatabase()
  const open = async () => database
  const store = createAuthWorkspaceStore(open)
  const access = createAdminStoreProvider(open, 'p').createWorkspaceAccessStore({} as H3Event)
  const { workspaceId, ann, eve } = await team(store)
  const bob = await signIn(store, 'bob')
  const inviteBob = (role: WorkspaceRole, email = ' BOB@example.org') => invite(store, workspaceId, ann, { email, role })
  const accept = (made: Awaited<ReturnType<typeof inviteBob>>) =>
    store.acceptInviteAndProvisionUser({ provider: 'p', providerUserId: 'bob', ...made })
  const roleOfBob = () => store.getWorkspaceRole({ userId: bob, workspaceId })
  /** A role, or null to remove: by an owner, by an administrator, by an administrator who names the address. */
  const changes = {
    owner: (role: Change) => {
      const member = { userId: ann, workspaceId, memberUserId: bob }
      return role ? store.setMemberRole({ ...member, role }) : store.removeMember(member)
    },
    admin: (role: Change) => role ? access.setMemberRole({ workspaceId, userId: bob, role }) : access.removeMember({ workspaceId, userId: bob }),
    upsert: (role: Change) => role ? access.upsertMember({ workspaceId, emailOrProviderId: 'bob@example.org', role }) : access.removeMember({ workspaceId, userId: bob }),
  }
  return { database, store, workspaceId, ann, eve, bob, inviteBob, accept, roleOfBob, changes }
}

describe('an open invite', () => {
  // Seen red without the end of the others in `join`.
  it('ends when another one to its address in its workspace is accepted', async () => {
    const { store, workspaceId, ann, eve, inviteBob, accept, roleOfBob } = await start()
    const { workspaceId: other } = await store.createWorkspace({ userId: ann, name: 'Other' })
    const [first, second] = [await inviteBob('editor'), await inviteBob('owner')]
    const others = [await invite(store, workspaceId, eve, { email: 'new@example.org' }), await invite(store, other, ann, { email: 'bob@example.org' })]
    expect(await accept(first)).toMatchObject({ ok: true, role: 'editor' })
    expect(await accept(second)).toEqual({ ok: false, reason: 'revoked' })
    expect(await roleOfBob()).toBe('editor')
    for (const made of others) expect(await store.validateInvite(made)).toMatchObject({ ok: true })
    expect(await accept(await inviteBob('owner'))).toMatchObject({ ok: true, role: 'owner' })
  })

  // Seen red with only those revoked that the member has made.
  it.each(['owner', 'admin', 'upsert'] as const)('does not undo a demotion or a removal (%s)', async (by) => {
    const { store, workspaceId, ann, bob, inviteBob, accept, roleOfBob, changes } = await start()
    await admit(store, ann, workspaceId, bob, 'owner')
    const made = await Promise.all(workspaceRoles.map(role => inviteBob(role)))
    const states = async () => (await Promise.all(made.map(store.validateInvite))).map(state => state.ok)
    await changes[by]('editor')
    expect(await states()).toEqual([false, true, true])
    await changes[by]('viewer')
    expect(await states()).toEqual([false, false, true])
    await changes[by](null)
    expect(await states()).toEqual([false, false, false])
    expect(await accept(made[2]!)).toEqual({ ok: false, reason: 'revoked' })
    expect(await roleOfBob()).toBeNull()

    const later = await inviteBob('editor')
    expect(await accept(later)).toMatchObject({ ok: true, role: 'editor' })
    expect(await roleOfBob()).toBe('editor')
  })

  it('to somebody else stays', async () => {
    const { store, workspaceId, ann, eve, bob, changes } = await start()
    await admit(store, ann, workspaceId, bob, 'editor')
    const made = await invite(store, workspaceId, eve, { email: 'bob@example.org.invalid' })
    await changes.owner(null)
    expect(await store.validateInvite(made)).toMatchObject({ ok: true })
  })

  // Seen red with the address of the last sign-in alone.
  it('ends also where the member was let in by its address and has another since', async () => {
    const { store, inviteBob, accept, changes } = await start()
    await accept(await inviteBob('editor', 'robert@example.org'))
    await store.getOrCreateUser({ provider: 'p', providerUserId: 'bob', email: 'bob@example.org' })
    const made = await inviteBob('owner', 'robert@example.org')
    await changes.owner('viewer')
    expect(await store.validateInvite(made)).toEqual({ ok: false, reason: 'revoked' })
  })

  // Seen red with a new member's invites left open.
  it('does not raise somebody whom an administrator has let in', async () => {
    const { inviteBob, accept, roleOfBob, changes } = await start()
    const made = await inviteBob('owner')
    await changes.upsert('viewer')
    expect(await accept(made)).toEqual({ ok: false, reason: 'revoked' })
    expect(await roleOfBob()).toBe('viewer')
  })
})

describe('the list of invites', () => {
  // Seen red with the newest hundred of every state.
  it('begins with all that are open, however many were made and revoked since', async () => {
    const { call, meet, store } = await serveRoutes()
    const { workspaceId, userId: ann } = await meet('ann')
    const { userId: eve } = await meet('eve')
    await admit(store, ann, workspaceId, eve, 'editor')
    const open = [await invite(store, workspaceId, eve, { email: 'a@b.c' }), await invite(store, workspaceId, eve, { email: 'd@b.c' })]
    for (let number = 0; number < 100; number++) await makeAndRevoke(store, workspaceId, eve)
    const { body } = await call<{ invites: { id: string, status: string }[] }>(`GET /api/workspaces/${workspaceId}/invites`, { as: 'ann' })
    expect(body.invites.slice(0, 2)).toMatchObject(open.toReversed().map(({ inviteId }) => ({ id: inviteId, status: 'pending' })))
    expect(body.invites.slice(2).every(({ status }) => status !== 'pending')).toBe(true)
    expect(await store.listInvites({ workspaceId, limit: 2 })).toMatchObject([{ status: 'pending' }, { status: 'pending' }])
  })
})

describe('an invite that is over', () => {
  // Seen red with all of them kept.
  it('is forgotten after a hundred newer ones, and its token unknown', async () => {
    const { database, store, workspaceId, ann, inviteBob, accept } = await start()
    const { workspaceId: other } = await store.createWorkspace({ userId: ann, name: 'Other' })
    await makeAndRevoke(store, other, ann)
    const clock = startClock()
    const open = await inviteBob('viewer')
    const old = await makeAndRevoke(store, workspaceId, ann)
    clock.advance(1)
    for (let number = 0; number < 150; number++) await makeAndRevoke(store, workspaceId, ann)
    await invite(store, workspaceId, ann, { email: 'last@example.org' })
    const ended = (id: string) => database.read.$count(invites, and(eq(invites.workspaceId, id), ne(invites.status, 'pending')))
    expect(await ended(workspaceId)).toBe(100)
    expect(await ended(other)).toBe(1)
    expect(await store.validateInvite(old)).toEqual({ ok: false, reason: 'not_found' })
    expect(await accept(open)).toMatchObject({ ok: true })
  })

  // Seen red with only those dropped that are marked as over.
  it('by time alone is forgotten too', async () => {
    const { database, store, workspaceId, ann } = await start()
    const clock = startClock()
    for (let round = 0; round < 3; round++) {
      for (let number = 0; number < 99; number++) await invite(store, workspaceId, ann, { expiresAt: inAnHour() })
      clock.advance(3600)
    }
    await invite(store, workspaceId, ann)
    expect(await database.read.$count(invites, eq(invites.workspaceId, workspaceId))).toBe(101)
  })
})

async function makeAndRevoke(store: ReturnType<typeof createAuthWorkspaceStore>, workspaceId: string, userId: string) {
  const made = await invite(store, workspaceId, userId)
  await store.revokeInvite({ workspaceId, inviteId: made.inviteId, revokedByUserId: userId })
  return made
}
