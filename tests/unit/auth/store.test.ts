/**
 * The store on a real database file; and what only an import, a restored workspace or a hand in the database can leave
 * behind: an active pointer to a workspace that is deleted, or that the user does not belong to.
 * Seen red: the membership, and the deletion check, taken out of the look-up of the active workspace.
 */
import { eq } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { isMembership } from '../../../server/workspaces/membership.ts'
import { createAuthWorkspaceStore } from '../../../server/host/auth-store.ts'
import { users, workspaceMembers, workspaces } from '../../../server/database/schema/index.ts'
import { admit, signIn } from '../../contract/auth-store-helpers.ts'
import { describeAuthWorkspaceStore } from '../../contract/auth-workspace-store.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import { expectInvariants } from './invariants.ts'

describeAuthWorkspaceStore('sqlite', async () => {
  const database = await openTestDatabase()
  return createAuthWorkspaceStore(() => Promise.resolve(database))
})

it.each(['deleted', 'left'])('an active pointer to a workspace that is %s is moved to the oldest living membership', async (end) => {
  const database = await openTestDatabase()
  const store = createAuthWorkspaceStore(() => Promise.resolve(database))
  const [ann, vic] = [await signIn(store, 'ann'), await signIn(store, 'vic')]
  const { workspaceId } = await store.createWorkspace({ userId: ann, name: 'Ann\'s' })
  await admit(store, ann, workspaceId, vic, 'editor')
  const { workspaceId: own } = await store.createWorkspace({ userId: vic, name: 'Own' })
  await store.setActiveWorkspace({ userId: vic, workspaceId })
  await database.write(async (tx) => {
    if (end === 'deleted') await tx.update(workspaces).set({ deletedAt: 1 }).where(eq(workspaces.id, workspaceId))
    else await tx.delete(workspaceMembers).where(isMembership({ workspaceId, userId: vic }))
  })
  const found = await store.getOrCreateDefaultWorkspace(vic)
  expect(found).toEqual({ workspaceId: own, workspaceName: 'Own', created: false })
  const [pointer] = await database.read.select({ active: users.activeWorkspaceId }).from(users).where(eq(users.id, vic))
  expect(pointer).toEqual({ active: own })
  await expectInvariants(database)
})
