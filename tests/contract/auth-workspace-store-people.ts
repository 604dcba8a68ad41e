/** What every `AuthWorkspaceStore` must do about members and invites. */
import { describe, expect, it } from 'vitest'
import { workspaceRoles } from '../../server/auth/roles.ts'
import {
  admit, expectAlike, inAnHour, invite, signIn, startClock, team, type MakeStore,
} from './auth-store-helpers.ts'

export function describePeople(makeStore: MakeStore): void {
  describeMembers(makeStore)
  describeInvites(makeStore)
  describeAcceptance(makeStore)
}

function describeMembers(makeStore: MakeStore): void {
  describe('members', () => {
    it('lists them to every member, oldest first, and to nobody else', async () => {
      const store = await makeStore()
      const { workspaceId, ann, eve, vic } = await team(store)
      const members = await store.listMembers({ userId: vic, workspaceId })
      const roles = members.map(({ userId, role }) => [userId, role])
      expect(roles).toEqual([[ann, 'owner'], [eve, 'editor'], [vic, 'viewer']])
      expect(members[0]).toMatchObject({ email: 'ann@example.org', joinedAt: expect.any(Number) })
      const bob = await signIn(store, 'bob')
      await expectAlike(id => store.listMembers({ userId: bob, workspaceId: id }), workspaceId)
    })

    it('lets owners change roles, and nobody else', async () => {
      const store = await makeStore()
      const { workspaceId, ann, eve, vic } = await team(store)
      await store.setMemberRole({ userId: ann, workspaceId, memberUserId: vic, role: 'editor' })
      expect(await store.getWorkspaceRole({ userId: vic, workspaceId })).toBe('editor')
      const promotion = { userId: eve, workspaceId, memberUserId: eve, role: 'owner' } as const
      await expect(store.setMemberRole(promotion)).rejects.toMatchObject({ statusCode: 403 })
      const bob = await signIn(store, 'bob')
      await expectAlike(id => store.setMemberRole({ ...promotion, userId: bob, workspaceId: id }), workspaceId)
      await expectAlike(id => store.setMemberRole({ userId: ann, workspaceId, memberUserId: id, role: 'viewer' }), bob)
    })

    it('keeps the last owner: no leaving, no removal, no demotion', async () => {
      const store = await makeStore()
      const { workspaceId, ann, eve } = await team(store)
      const self = { userId: ann, workspaceId, memberUserId: ann }
      const refused = { statusCode: 409, data: { code: 'LAST_OWNER' } }
      await expect(store.removeMember(self)).rejects.toMatchObject(refused)
      await expect(store.setMemberRole({ ...self, role: 'editor' })).rejects.toMatchObject(refused)
      await store.setMemberRole({ ...self, role: 'owner' })
      await store.setMemberRole({ ...self, memberUserId: eve, role: 'owner' })
      await store.removeMember(self)
      expect(await store.getWorkspaceRole({ userId: ann, workspaceId })).toBeNull()
      expect(await store.getWorkspaceRole({ userId: eve, workspaceId })).toBe('owner')
    })

    it('lets owners remove others and everybody leave', async () => {
      const store = await makeStore()
      const { workspaceId, ann, eve, vic } = await team(store)
      const removal = { userId: eve, workspaceId, memberUserId: vic }
      await expect(store.removeMember(removal)).rejects.toMatchObject({ statusCode: 403 })
      await store.removeMember({ userId: vic, workspaceId, memberUserId: vic })
      await store.removeMember({ userId: ann, workspaceId, memberUserId: eve })
      expect((await store.listMembers({ userId: ann, workspaceId })).map(member => member.userId)).toEqual([ann])
      const bob = await signIn(store, 'bob')
      await expectAlike(id => store.removeMember({ userId: bob, workspaceId: id, memberUserId: bob }), workspaceId)
      await expectAlike(id => store.removeMember({ userId: ann, workspaceId, memberUserId: id }), bob)
    })

    it('takes a removed member out of the workspace at once', async () => {
      const store = await makeStore()
      const { workspaceId, ann, vic } = await team(store)
      const { workspaceId: own } = await store.createWorkspace({ userId: vic, name: 'Own' })
      await store.setActiveWorkspace({ userId: vic, workspaceId })
      await store.removeMember({ userId: ann, workspaceId, memberUserId: vic })
      expect((await store.listUserWorkspaces(vic))).toMatchObject([{ id: own, isActive: true }])
      expect(await store.getOrCreateDefaultWorkspace(vic)).toMatchObject({ workspaceId: own, created: false })
    })
  })
}

function describeInvites(makeStore: MakeStore): void {
  describe('invites', () => {
    it('are made by owners for every role, by editors for theirs and below, by others not', async () => {
      const store = await makeStore()
      const { workspaceId, ann, eve, vic } = await team(store)
      const tryAs = (userId: string) => Promise.all(workspaceRoles.map(
        role => invite(store, workspaceId, userId, { role }).then(() => 'yes', error => error.statusCode),
      ))
      const allowed = await Promise.all([ann, eve, vic].map(tryAs))
      expect(allowed).toEqual([['yes', 'yes', 'yes'], [403, 'yes', 'yes'], [403, 403, 403]])
      const bob = await signIn(store, 'bob')
      await expectAlike(id => invite(store, id, bob), workspaceId)
    })

    it('hold the address trimmed and in lower case, and the hash of the token', async () => {
      const store = await makeStore()
      const { workspaceId, ann } = await team(store)
      const { inviteId, tokenHash } = await invite(store, workspaceId, ann, { email: ' New@Example.ORG ' })
      expect(await store.listInvites({ workspaceId, status: 'pending' })).toEqual([{
        id: inviteId, workspaceId, email: 'new@example.org', role: 'viewer', status: 'pending', invitedByUserId: ann,
        expiresAt: expect.any(Number), tokenHash, acceptedAt: null, acceptedUserId: null, revokedAt: null,
        createdAt: expect.any(Number), updatedAt: expect.any(Number),
      }])
    })

    it('refuse an empty or malformed address, an end that is no moment, a token twice', async () => {
      const store = await makeStore()
      const { workspaceId, ann } = await team(store)
      const ends = [Number.NaN, 1.5].map(expiresAt => ({ expiresAt }))
      for (const bad of [{ email: ' ' }, { email: 'a\0@b' }, { tokenHash: '' }, ...ends]) {
        await expect(invite(store, workspaceId, ann, bad)).rejects.toMatchObject({ statusCode: 400 })
      }
      const { tokenHash } = await invite(store, workspaceId, ann)
      await expect(invite(store, workspaceId, ann, { tokenHash })).rejects.toMatchObject({ statusCode: 409 })
    })

    it('are listed newest first, up to a limit, for one workspace', async () => {
      const store = await makeStore()
      const { workspaceId, ann } = await team(store)
      const { workspaceId: other } = await store.createWorkspace({ userId: ann, name: 'Other' })
      const ids: string[] = []
      for (let n = 0; n < 3; n++) ids.unshift((await invite(store, workspaceId, ann)).inviteId)
      await invite(store, other, ann)
      const list = await store.listInvites({ workspaceId, status: 'pending' })
      expect(list.map(item => item.id)).toEqual(ids)
      expect(await store.listInvites({ workspaceId, limit: 2 })).toHaveLength(2)
    })

    it('expire before they are listed', async () => {
      const store = await makeStore()
      const clock = startClock()
      const { workspaceId, ann } = await team(store)
      const { inviteId } = await invite(store, workspaceId, ann, { expiresAt: inAnHour() })
      clock.advance(3600)
      expect(await store.listInvites({ workspaceId, status: 'pending' })).toEqual([])
      expect(await store.listInvites({ workspaceId, status: 'expired' })).toMatchObject([{ id: inviteId }])
    })

    it('are revoked by who could have made them', async () => {
      const store = await makeStore()
      const { workspaceId, ann, eve, vic } = await team(store)
      const asOwner = await invite(store, workspaceId, ann, { role: 'owner' })
      const asViewer = await invite(store, workspaceId, ann)
      const revoke = (inviteId: string, revokedByUserId: string, id = workspaceId) =>
        store.revokeInvite({ workspaceId: id, inviteId, revokedByUserId })
      await expect(revoke(asViewer.inviteId, vic)).rejects.toMatchObject({ statusCode: 403 })
      await expect(revoke(asOwner.inviteId, eve)).rejects.toMatchObject({ statusCode: 403 })
      await revoke(asViewer.inviteId, eve)
      await revoke(asViewer.inviteId, eve)
      expect(await store.validateInvite(asViewer)).toEqual({ ok: false, reason: 'revoked' })
      expect(await store.validateInvite(asOwner)).toEqual({ ok: true, role: 'owner' })
      const bob = await signIn(store, 'bob')
      const { workspaceId: bobs } = await store.createWorkspace({ userId: bob, name: 'Bob\'s' })
      await expectAlike(id => revoke(id, bob, bobs), asOwner.inviteId)
      await expectAlike(id => revoke(asOwner.inviteId, bob, id), workspaceId)
    })

    it('fall with their inviter\'s right to them', async () => {
      const store = await makeStore()
      const { workspaceId, ann, eve } = await team(store)
      await store.setMemberRole({ userId: ann, workspaceId, memberUserId: eve, role: 'owner' })
      const invites = await Promise.all(workspaceRoles.map(role => invite(store, workspaceId, eve, { role })))
      const states = async () => (await Promise.all(invites.map(store.validateInvite))).map(state => state.ok)
      const demotion = { userId: ann, workspaceId, memberUserId: eve }
      await store.setMemberRole({ ...demotion, role: 'editor' })
      expect(await states()).toEqual([false, true, true])
      await store.setMemberRole({ ...demotion, role: 'viewer' })
      expect(await states()).toEqual([false, false, false])
    })

    it('of a removed member do not let them back in', async () => {
      const store = await makeStore()
      const { workspaceId, ann, eve } = await team(store)
      const hers = await invite(store, workspaceId, eve, { email: 'eve@example.org', role: 'editor' })
      const anns = await invite(store, workspaceId, ann)
      await store.removeMember({ userId: ann, workspaceId, memberUserId: eve })
      expect(await store.consumeInvite({ ...hers, acceptedUserId: eve })).toEqual({ ok: false, reason: 'revoked' })
      expect(await store.validateInvite(anns)).toMatchObject({ ok: true })
    })
  })
}

function describeAcceptance(makeStore: MakeStore): void {
  describe('accepting an invite', () => {
    it('makes user, account and membership of a newcomer, and the workspace active', async () => {
      const store = await makeStore()
      const { workspaceId, ann } = await team(store)
      const made = await invite(store, workspaceId, ann, { email: 'new@example.org', role: 'editor' })
      const account = { provider: 'p', providerUserId: 'new', displayName: 'New', email: ' NEW@example.org' }
      const accepted = await store.acceptInviteAndProvisionUser({ ...made, ...account })
      const user = await store.getUser(account)
      expect(accepted).toEqual({ ok: true, userId: user?.userId, role: 'editor', createdUser: true })
      expect(user).toMatchObject({ email: 'NEW@example.org', displayName: 'New' })
      expect(await store.getOrCreateDefaultWorkspace(user!.userId)).toMatchObject({ workspaceId, created: false })
      expect(await store.getWorkspaceRole({ userId: user!.userId, workspaceId })).toBe('editor')
      expect(await store.listInvites({ workspaceId, status: 'accepted', limit: 1 })).toMatchObject([
        { id: made.inviteId, acceptedUserId: user!.userId, acceptedAt: expect.any(Number) },
      ])
    })

    it('leaves a known user\'s active workspace as it is', async () => {
      const store = await makeStore()
      const { workspaceId, ann } = await team(store)
      const bob = await signIn(store, 'bob')
      const own = await store.getOrCreateDefaultWorkspace(bob)
      const made = await invite(store, workspaceId, ann, { email: 'bob@example.org' })
      const accepted = await store.acceptInviteAndProvisionUser({ provider: 'p', providerUserId: 'bob', ...made })
      expect(accepted).toEqual({ ok: true, userId: bob, role: 'viewer', createdUser: false })
      expect(await store.getOrCreateDefaultWorkspace(bob)).toMatchObject({ workspaceId: own.workspaceId })
    })

    it('keeps the higher role of a member: the last owner cannot be demoted by an invite', async () => {
      const store = await makeStore()
      const { workspaceId, ann, vic } = await team(store)
      const down = await invite(store, workspaceId, ann)
      expect(await store.consumeInvite({ ...down, acceptedUserId: ann })).toEqual({ ok: true, role: 'owner' })
      expect(await store.getWorkspaceRole({ userId: ann, workspaceId })).toBe('owner')
      await admit(store, ann, workspaceId, vic, 'editor')
      expect(await store.getWorkspaceRole({ userId: vic, workspaceId })).toBe('editor')
    })

    it('says why not, and changes nothing', async () => {
      const store = await makeStore()
      const clock = startClock()
      const { workspaceId, ann } = await team(store)
      const usable = await invite(store, workspaceId, ann)
      const revoked = await invite(store, workspaceId, ann)
      await store.revokeInvite({ workspaceId, inviteId: revoked.inviteId, revokedByUserId: ann })
      const used = await invite(store, workspaceId, ann)
      const bob = await signIn(store, 'bob')
      await store.consumeInvite({ ...used, acceptedUserId: bob })
      const short = await invite(store, workspaceId, ann, { expiresAt: inAnHour() - 3000 })
      clock.advance(600)
      const cases = [
        [{ ...usable, tokenHash: 'other' }, 'not_found'],
        [{ ...usable, workspaceId: 'other' }, 'not_found'],
        [{ ...usable, email: 'other@example.org' }, 'email_mismatch'],
        [used, 'already_used'],
        [revoked, 'revoked'],
        [short, 'expired'],
      ] as const
      for (const [input, reason] of cases) {
        const account = { provider: 'p', providerUserId: 'stranger' }
        expect(await store.validateInvite(input)).toEqual({ ok: false, reason })
        expect(await store.acceptInviteAndProvisionUser({ ...account, ...input })).toEqual({ ok: false, reason })
        expect(await store.consumeInvite({ ...input, acceptedUserId: ann })).toEqual({ ok: false, reason })
        expect(await store.getUser(account)).toBeNull()
      }
      const late = { workspaceId, inviteId: used.inviteId, revokedByUserId: ann }
      await expect(store.revokeInvite(late)).rejects.toMatchObject({ statusCode: 409 })
    })

    it('finds no invite into a deleted workspace, and refuses a user it does not know', async () => {
      const store = await makeStore()
      const { workspaceId, ann } = await team(store)
      const made = await invite(store, workspaceId, ann)
      await expect(store.consumeInvite({ ...made, acceptedUserId: 'ghost' })).rejects.toMatchObject({ statusCode: 404 })
      await store.removeWorkspace({ userId: ann, workspaceId })
      expect(await store.validateInvite(made)).toEqual({ ok: false, reason: 'not_found' })
    })
  })
}
