/**
 * What every `AuthWorkspaceStore` must do, as functions over one: who is asking, and which workspaces are theirs.
 * Invites and members are in `auth-workspace-store-people.ts`.
 */
import { describe, expect, it } from 'vitest'
import {
  admit, expectAlike, signIn, startClock, team, type CompleteStore, type MakeStore,
} from './auth-store-helpers.ts'
import { describePeople } from './auth-workspace-store-people.ts'

export function describeAuthWorkspaceStore(name: string, makeStore: MakeStore): void {
  describe(`${name}: an auth workspace store`, () => {
    describeUsers(makeStore)
    describeWorkspaces(makeStore)
    describePeople(makeStore)
  })
}

function describeUsers(makeStore: MakeStore): void {
  describe('users', () => {
    it('knows nobody before the first sign-in', async () => {
      const store = await makeStore()
      expect(await store.getUser({ provider: 'p', providerUserId: 'ann' })).toBeNull()
    })

    it('makes one user of an account and finds it again', async () => {
      const store = await makeStore()
      const ann = { provider: 'p', providerUserId: 'ann', email: 'Ann@Example.org', displayName: 'Ann' }
      const { userId } = await store.getOrCreateUser(ann)
      expect(await store.getOrCreateUser(ann)).toEqual({ userId })
      expect(await store.getUser(ann)).toEqual({ userId, email: 'Ann@Example.org', displayName: 'Ann' })
    })

    it('tells the accounts of different providers apart', async () => {
      const store = await makeStore()
      const one = await store.getOrCreateUser({ provider: 'p', providerUserId: 'ann' })
      const other = await store.getOrCreateUser({ provider: 'q', providerUserId: 'ann' })
      expect(one.userId).not.toBe(other.userId)
    })

    it('takes a changed profile over and keeps what is not given', async () => {
      const store = await makeStore()
      const ann = { provider: 'p', providerUserId: 'ann' }
      await store.getOrCreateUser({ ...ann, email: 'ann@old.org', displayName: 'Ann' })
      await store.getOrCreateUser({ ...ann, email: 'ann@new.org' })
      expect(await store.getUser(ann)).toMatchObject({ email: 'ann@new.org', displayName: 'Ann' })
    })

    it('refuses an account id that would not read back as it was written', async () => {
      const store = await makeStore()
      for (const providerUserId of ['', 'a\0b', '\uD800', 'x'.repeat(257)]) {
        const refused = store.getOrCreateUser({ provider: 'p', providerUserId })
        await expect(refused).rejects.toMatchObject({ statusCode: 400 })
      }
    })

    it('mends profile texts that would not read back as they were written', async () => {
      const store = await makeStore()
      const ann = { provider: 'p', providerUserId: 'ann' }
      await store.getOrCreateUser({ ...ann, email: '  ', displayName: ' A\0n\uD800n ' })
      expect(await store.getUser(ann)).toMatchObject({ email: undefined, displayName: 'An\uFFFDn' })
    })
  })
}

function describeWorkspaces(makeStore: MakeStore): void {
  describe('workspaces', () => {
    it('gives a new user one workspace, as its owner, and makes it active', async () => {
      const store = await makeStore()
      const ann = await signIn(store, 'ann')
      const first = await store.getOrCreateDefaultWorkspace(ann)
      expect(first).toMatchObject({ created: true, workspaceName: 'My Workspace' })
      expect(await store.getOrCreateDefaultWorkspace(ann)).toEqual({ ...first, created: false })
      expect(await store.getWorkspaceRole({ userId: ann, workspaceId: first.workspaceId })).toBe('owner')
      expect(await store.listUserWorkspaces(ann)).toEqual([{
        id: first.workspaceId, name: 'My Workspace', description: null, role: 'owner', isActive: true,
        createdAt: expect.any(Number),
      }])
    })

    it('refuses a user it does not know', async () => {
      const store = await makeStore()
      const ghost = 'no-such-user'
      await expect(store.getOrCreateDefaultWorkspace(ghost)).rejects.toMatchObject({ statusCode: 404 })
      await expect(store.createWorkspace({ userId: ghost, name: 'W' })).rejects.toMatchObject({ statusCode: 404 })
      expect(await store.listUserWorkspaces(ghost)).toEqual([])
    })

    it('creates without activating, lists the newest first', async () => {
      const store = await makeStore()
      const ann = await signIn(store, 'ann')
      const { workspaceId: first } = await store.getOrCreateDefaultWorkspace(ann)
      const { workspaceId: second } = await store.createWorkspace({ userId: ann, name: ' Two ', description: ' d ' })
      const { workspaceId: third } = await store.createWorkspace({ userId: ann, name: 'Three' })
      const list = await store.listUserWorkspaces(ann)
      expect(list.map(item => item.id)).toEqual([third, second, first])
      expect(list[1]).toMatchObject({ name: 'Two', description: 'd', role: 'owner', isActive: false })
      expect(list[2]).toMatchObject({ isActive: true })
    })

    it('activates a workspace of the user\'s, and no other', async () => {
      const store = await makeStore()
      const [ann, bob] = [await signIn(store, 'ann'), await signIn(store, 'bob')]
      await store.getOrCreateDefaultWorkspace(ann)
      const { workspaceId } = await store.createWorkspace({ userId: ann, name: 'Two' })
      const { workspaceId: bobs } = await store.getOrCreateDefaultWorkspace(bob)
      await store.setActiveWorkspace({ userId: ann, workspaceId })
      expect(await store.getOrCreateDefaultWorkspace(ann)).toMatchObject({ workspaceId, workspaceName: 'Two' })
      await expectAlike(id => store.setActiveWorkspace({ userId: ann, workspaceId: id }), bobs)
      expect(await store.getOrCreateDefaultWorkspace(ann)).toMatchObject({ workspaceId })
    })

    it('renames for owners and editors, clears a description with null and leaves it with undefined', async () => {
      const store = await makeStore()
      const { workspaceId, ann, eve, vic } = await team(store)
      await store.updateWorkspace({ userId: ann, workspaceId, name: 'N', description: 'd' })
      await store.updateWorkspace({ userId: eve, workspaceId, name: 'M' })
      expect(await find(store, ann, workspaceId)).toMatchObject({ name: 'M', description: 'd' })
      await store.updateWorkspace({ userId: ann, workspaceId, name: 'M', description: null })
      expect(await find(store, ann, workspaceId)).toMatchObject({ description: null })
      const byViewer = store.updateWorkspace({ userId: vic, workspaceId, name: 'X' })
      await expect(byViewer).rejects.toMatchObject({ statusCode: 403 })
      const bob = await signIn(store, 'bob')
      await expectAlike(id => store.updateWorkspace({ userId: bob, workspaceId: id, name: 'X' }), workspaceId)
      expect(await find(store, ann, workspaceId)).toMatchObject({ name: 'M' })
    })

    it('refuses a name or description that is empty, too long or malformed', async () => {
      const store = await makeStore()
      const userId = await signIn(store, 'ann')
      for (const name of ['', '  ', 'x'.repeat(101), 'a\0b', '\uD800']) {
        await expect(store.createWorkspace({ userId, name })).rejects.toMatchObject({ statusCode: 400 })
      }
      const input = { userId, name: 'W', description: 'x'.repeat(1001) }
      await expect(store.createWorkspace(input)).rejects.toMatchObject({ statusCode: 400 })
    })

    it('is deleted by an owner only, and then gone for everybody', async () => {
      const store = await makeStore()
      const { workspaceId, ann, eve, vic } = await team(store)
      for (const userId of [eve, vic]) {
        await expect(store.removeWorkspace({ userId, workspaceId })).rejects.toMatchObject({ statusCode: 403 })
      }
      await store.removeWorkspace({ userId: ann, workspaceId })
      for (const userId of [ann, eve, vic]) {
        expect(await store.getWorkspaceRole({ userId, workspaceId })).toBeNull()
        expect(await find(store, userId, workspaceId)).toBeUndefined()
        const gone = { statusCode: 404, message: 'No such workspace.' }
        await expect(store.setActiveWorkspace({ userId, workspaceId })).rejects.toMatchObject(gone)
        await expect(store.removeWorkspace({ userId, workspaceId })).rejects.toMatchObject(gone)
        await expect(store.updateWorkspace({ userId, workspaceId, name: 'X' })).rejects.toMatchObject(gone)
        await expect(store.listMembers({ userId, workspaceId })).rejects.toMatchObject(gone)
      }
    })

    it('sends everyone whose active workspace is deleted to their oldest other one, or to a new one', async () => {
      const store = await makeStore()
      const { workspaceId, ann, eve, vic } = await team(store)
      const { workspaceId: older } = await store.createWorkspace({ userId: eve, name: 'Older' })
      await store.createWorkspace({ userId: eve, name: 'Newer' })
      for (const userId of [ann, eve, vic]) await store.setActiveWorkspace({ userId, workspaceId })
      await store.removeWorkspace({ userId: ann, workspaceId })
      // Eve's own workspaces began in one second: the earlier one counts as older.
      expect(await store.getOrCreateDefaultWorkspace(eve)).toEqual(
        { workspaceId: older, workspaceName: 'Older', created: false })
      expect((await store.listUserWorkspaces(eve)).filter(item => item.isActive).map(item => item.id)).toEqual([older])
      expect(await store.listUserWorkspaces(vic)).toEqual([])
      expect(await store.getOrCreateDefaultWorkspace(vic)).toMatchObject({ created: true })
    })

    it('takes the oldest membership by time, not by the age of the workspace', async () => {
      const store = await makeStore()
      const clock = startClock()
      const ann = await signIn(store, 'ann')
      const vic = await signIn(store, 'vic')
      const { workspaceId: annsOld } = await store.createWorkspace({ userId: ann, name: 'Old' })
      clock.advance(10)
      const { workspaceId: own } = await store.createWorkspace({ userId: vic, name: 'Own' })
      clock.advance(10)
      await admit(store, ann, annsOld, vic, 'viewer')
      expect(await store.getOrCreateDefaultWorkspace(vic)).toMatchObject({ workspaceId: own, created: false })
    })
  })
}

async function find(store: CompleteStore, userId: string, workspaceId: string) {
  return (await store.listUserWorkspaces(userId)).find(item => item.id === workspaceId)
}
