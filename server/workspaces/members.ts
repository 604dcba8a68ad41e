/**
 * Who belongs to a workspace and as what. Every living workspace keeps at least one owner, also when two owners
 * leave at once: the check and the change are one transaction of the one writer.
 */
import { and, asc, eq, sql } from 'drizzle-orm'
import type { SyncDatabase, WriteTransaction } from '../database/types.ts'
import { deviceCursors, users, workspaceMembers } from '../database/schema/index.ts'
import { compileSql, readRows } from '../database/statement.ts'
import { revokeLinksAbove } from './invite-links.ts'
import { revokeInvitesAbove } from './invites.ts'
import {
  assertRole, isMembership, type Membership, moveActiveAway, requireMember, requireOtherOwner,
  requireRole,
} from './membership.ts'
import { rightsChanges } from './rights-changes.ts'
import type { WorkspaceMember, WorkspaceMembership, WorkspaceRef, WorkspaceRole } from './store/types.ts'
import { isId } from '../lib/storable-text.ts'

const selectMembership = compileSql<WorkspaceRef, WorkspaceMembership>(value => sql`
  select m.role as role, w.name as "workspaceName" from workspace_members m
  cross join workspaces w on w.id = m.workspace_id and w.deleted_at is null
  where m.workspace_id = ${value('workspaceId')} and m.user_id = ${value('userId')}
  limit 1`)

/** Null for a stranger, and for everybody once the workspace is deleted. */
export async function getWorkspaceRole(database: SyncDatabase, input: WorkspaceRef): Promise<WorkspaceRole | null> {
  return (await getMembership(database, input))?.role ?? null
}

/** Role and name of the workspace. Null for a stranger, for a deleted workspace and for an id that cannot exist. */
export async function getMembership(
  database: SyncDatabase,
  { workspaceId, userId }: WorkspaceRef,
): Promise<WorkspaceMembership | null> {
  // SQLite ends a text at NUL, so such an id could find another workspace.
  if (!isId(workspaceId) || !isId(userId)) return null
  const [membership] = await readRows(database.read.$client, selectMembership({ workspaceId, userId }))
  return membership ?? null
}

/** Oldest membership first; any member may ask. Throws NOT_FOUND. */
export async function listMembers(database: SyncDatabase, input: WorkspaceRef): Promise<WorkspaceMember[]> {
  assertRole(await getWorkspaceRole(database, input), 'viewer')
  const rows = await database.read
    .select({
      userId: users.id,
      email: users.email,
      displayName: users.displayName,
      role: workspaceMembers.role,
      joinedAt: workspaceMembers.createdAt,
    })
    .from(workspaceMembers)
    .innerJoin(users, eq(users.id, workspaceMembers.userId))
    .where(eq(workspaceMembers.workspaceId, input.workspaceId))
    .orderBy(asc(workspaceMembers.createdAt), asc(sql`${workspaceMembers}.rowid`))
  return rows.map(row => ({ ...row, email: row.email ?? undefined, displayName: row.displayName ?? undefined }))
}

/**
 * Owners. Invites the member may no longer vouch for, or that would give them more, are revoked. Throws NOT_FOUND,
 * FORBIDDEN, LAST_OWNER.
 */
export async function setMemberRole(
  database: SyncDatabase,
  { userId, workspaceId, memberUserId, role }: WorkspaceRef & { memberUserId: string, role: WorkspaceRole },
): Promise<void> {
  await database.write(async (tx) => {
    await requireRole(tx, { userId, workspaceId }, 'owner', 'Only an owner may change roles.')
    await changeRole(tx, await requireMember(tx, { userId: memberUserId, workspaceId }), role)
  })
  rightsChanges.tell({ workspaceId, userId: memberUserId })
}

/** Within a transaction. Throws LAST_OWNER. */
export async function changeRole(tx: WriteTransaction, member: Membership, role: WorkspaceRole): Promise<void> {
  if (role !== 'owner') await requireOtherOwner(tx, member)
  await tx.update(workspaceMembers).set({ role }).where(isMembership(member))
  await revokeInvitesAbove(tx, member, role)
  await revokeLinksAbove(tx, member.workspaceId, role)
}

/**
 * Owners remove others, everybody may remove themselves (leave). Pending invites by and to the one who goes are
 * revoked, so that nobody comes back by an older one. Throws NOT_FOUND, FORBIDDEN, LAST_OWNER.
 */
export async function removeMember(
  database: SyncDatabase,
  { userId, workspaceId, memberUserId }: WorkspaceRef & { memberUserId: string },
): Promise<void> {
  await database.write(async (tx) => {
    const needed = memberUserId === userId ? 'viewer' : 'owner'
    await requireRole(tx, { userId, workspaceId }, needed, 'Only an owner may remove others.')
    await endMembership(tx, await requireMember(tx, { userId: memberUserId, workspaceId }), memberUserId === userId)
  })
  rightsChanges.tell({ workspaceId, userId: memberUserId })
}

/**
 * Within a transaction. Somebody who was removed cannot come back by a link made before; somebody who left can.
 * Throws LAST_OWNER.
 */
export async function endMembership(tx: WriteTransaction, member: Membership, hasLeft = false): Promise<void> {
  await requireOtherOwner(tx, member)
  await tx.delete(workspaceMembers).where(isMembership(member))
  // A device that may not pull any more holds no history back.
  const { workspaceId, userId } = member
  await tx.delete(deviceCursors)
    .where(and(eq(deviceCursors.workspaceId, workspaceId), eq(deviceCursors.userId, userId)))
  await revokeInvitesAbove(tx, member, null)
  if (!hasLeft) await revokeLinksAbove(tx, member.workspaceId, null)
  await moveActiveAway(tx, member.workspaceId, member.userId)
}
