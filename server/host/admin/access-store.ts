/**
 * Workspaces and their members as an administrator changes them. The host checks the admin, so no role is asked for.
 * All other rules for members hold here too: a living workspace keeps an owner.
 */
import { asc, eq, sql } from 'drizzle-orm'
import { revokeInvitesAbove } from '../../workspaces/invites.ts'
import { changeRole, endMembership } from '../../workspaces/members.ts'
import { moveActiveAway, readRole, requireMember } from '../../workspaces/membership.ts'
import type { WorkspaceRole } from '../../workspaces/store/types.ts'
import { createWorkspace } from '../../workspaces/workspaces.ts'
import { readNow } from '../../database/read-now.ts'
import { nowSeconds } from '../../lib/clock.ts'
import type { SyncDatabase, WriteTransaction } from '../../database/types.ts'
import { users, workspaceMembers, workspaces } from '../../database/schema/index.ts'
import { createSyncError } from '../../errors.ts'
import { findOrMakeUser } from './placeholder-user.ts'
import type { WorkspaceAccessStore, WorkspaceMemberInfo } from './types.ts'
import { searchUsers } from './user-search.ts'
import { getWorkspace, listWorkspaces } from './workspace-list.ts'

/** Makes the store. `upsertMember` takes a user id as one of `authProvider` where it names no provider. */
export function createWorkspaceAccessStore(
  database: () => Promise<SyncDatabase>,
  authProvider: string,
): WorkspaceAccessStore {
  return {
    listMembers: async input => listMembers(await database(), input.workspaceId),
    upsertMember: async input => upsertMember(await database(), { ...input, provider: input.provider ?? authProvider }),
    setMemberRole: async ({ role, ...member }) =>
      (await database()).write(async tx => changeRole(tx, await requireMember(tx, member), role)),
    removeMember: async member =>
      (await database()).write(async tx => endMembership(tx, await requireMember(tx, member))),
    listWorkspaces: async input => listWorkspaces(await database(), input),
    getWorkspace: async input => getWorkspace(await database(), input),
    createWorkspace: async ({ ownerUserId, ...input }) =>
      createWorkspace(await database(), { ...input, userId: ownerUserId }),
    softDeleteWorkspace: async input => softDeleteWorkspace(await database(), input),
    restoreWorkspace: async input => restoreWorkspace(await database(), input.workspaceId),
    searchUsers: async input => searchUsers(await database(), input),
  }
}

async function listMembers(database: SyncDatabase, workspaceId: string): Promise<WorkspaceMemberInfo[]> {
  const rows = await database.read
    .select({ userId: users.id, email: users.email, role: workspaceMembers.role })
    .from(workspaceMembers)
    .innerJoin(users, eq(users.id, workspaceMembers.userId))
    .where(eq(workspaceMembers.workspaceId, workspaceId))
    .orderBy(asc(workspaceMembers.createdAt), asc(sql`${workspaceMembers}.rowid`))
  return rows.map(row => ({ ...row, email: row.email ?? undefined }))
}

interface NewMember { workspaceId: string, emailOrProviderId: string, role: WorkspaceRole, provider: string }

async function upsertMember(database: SyncDatabase, input: NewMember): Promise<void> {
  const { workspaceId, role } = input
  await database.write(async (tx) => {
    await requireWorkspace(tx, workspaceId, 'living')
    const userId = await findOrMakeUser(tx, input)
    const known = await readRole(tx, { workspaceId, userId })
    if (known) return changeRole(tx, { workspaceId, userId, role: known }, role)
    await tx.insert(workspaceMembers).values({ workspaceId, userId, role, createdAt: nowSeconds() })
    await revokeInvitesAbove(tx, { workspaceId, userId }, role)
  })
}

/** The host counts in milliseconds and gets back what it sent. Without a usable moment it is now. */
async function softDeleteWorkspace(
  database: SyncDatabase,
  { workspaceId, deletedAt }: { workspaceId: string, deletedAt: number },
): Promise<void> {
  const moment = Number.isSafeInteger(deletedAt) && deletedAt > 0 ? deletedAt : await readNow(database)
  await database.write(async (tx) => {
    const { isDeleted } = await requireWorkspace(tx, workspaceId)
    if (isDeleted) return
    await tx.update(workspaces).set({ deletedAt: moment }).where(eq(workspaces.id, workspaceId))
    await moveActiveAway(tx, workspaceId)
  })
}

async function restoreWorkspace(database: SyncDatabase, workspaceId: string): Promise<void> {
  await database.write(async (tx) => {
    const { hasOwner } = await requireWorkspace(tx, workspaceId)
    if (!hasOwner) throw createSyncError('LAST_OWNER', 'The workspace has no owner any more, so it cannot be restored.')
    await tx.update(workspaces).set({ deletedAt: null }).where(eq(workspaces.id, workspaceId))
  })
}

/** Throws NOT_FOUND. */
async function requireWorkspace(tx: WriteTransaction, workspaceId: string, state?: 'living') {
  const row = await tx
    .select({
      deletedAt: workspaces.deletedAt,
      owners: sql<number>`(
        select count(*) from workspace_members m where m.workspace_id = ${workspaces.id} and m.role = 'owner')`,
    })
    .from(workspaces)
    .where(eq(workspaces.id, workspaceId))
    .get()
  if (!row || (state === 'living' && row.deletedAt !== null)) throw createSyncError('NOT_FOUND', 'No such workspace.')
  return { isDeleted: row.deletedAt !== null, hasOwner: row.owners > 0 }
}
