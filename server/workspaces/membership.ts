/**
 * Memberships as a write transaction sees them: the role of a user in a living workspace, and the active pointer
 * that must follow when a membership or a workspace ends.
 * A non-member gets NOT_FOUND for every workspace, whether it exists or not.
 */
import { and, eq, isNull, ne, sql, type SQL } from 'drizzle-orm'
import type { WriteTransaction } from '../database/types.ts'
import { users, workspaceMembers, workspaces } from '../database/schema/index.ts'
import { createSyncError } from '../errors.ts'
import { isAtLeast } from '../auth/roles.ts'
import type { WorkspaceRef, WorkspaceRole } from './store/types.ts'

export interface Membership extends WorkspaceRef { role: WorkspaceRole }

/** Null for a stranger, and for everybody once the workspace is deleted. */
export async function readRole(tx: WriteTransaction, input: WorkspaceRef): Promise<WorkspaceRole | null> {
  const row = await tx.select({ role: workspaceMembers.role })
    .from(workspaceMembers)
    .innerJoin(workspaces, isLivingWorkspaceOfMember())
    .where(isMembership(input))
    .get()
  return row?.role ?? null
}

/** Throws NOT_FOUND for a stranger and FORBIDDEN below `needed`. */
export async function requireRole(
  tx: WriteTransaction,
  input: WorkspaceRef,
  needed: WorkspaceRole,
  refusal?: string,
): Promise<WorkspaceRole> {
  return assertRole(await readRole(tx, input), needed, refusal)
}

/** The role, where it is at least `needed`. Throws NOT_FOUND for a stranger and FORBIDDEN below it. */
export function assertRole(
  role: WorkspaceRole | null,
  needed: WorkspaceRole,
  refusal = 'Your role in this workspace does not permit this.',
): WorkspaceRole {
  if (role === null) throw createSyncError('NOT_FOUND', 'No such workspace.')
  if (!isAtLeast(role, needed)) throw createSyncError('FORBIDDEN', refusal)
  return role
}

/** Another member than the caller. Throws NOT_FOUND. */
export async function requireMember(tx: WriteTransaction, input: WorkspaceRef): Promise<Membership> {
  const { workspaceId, userId } = input
  const role = await readRole(tx, input)
  if (role === null) throw createSyncError('NOT_FOUND', 'No such member.')
  return { workspaceId, userId, role }
}

/** Throws LAST_OWNER where the workspace would be left without one. */
export async function requireOtherOwner(tx: WriteTransaction, member: Membership): Promise<void> {
  if (member.role !== 'owner') return
  const other = await tx.select({ userId: workspaceMembers.userId })
    .from(workspaceMembers)
    .where(and(
      eq(workspaceMembers.workspaceId, member.workspaceId),
      eq(workspaceMembers.role, 'owner'),
      ne(workspaceMembers.userId, member.userId),
    ))
    .limit(1)
  if (other.length > 0) return
  throw createSyncError('LAST_OWNER', 'A workspace keeps at least one owner: make another member owner first.')
}

/**
 * After the workspace or the membership ended: everyone who still points at it, or only `userId`, goes to their
 * oldest other living membership, or to none.
 */
export async function moveActiveAway(tx: WriteTransaction, workspaceId: string, userId?: string): Promise<void> {
  const oldest = sql`(
    select m.workspace_id from ${workspaceMembers} m join ${workspaces} w on w.id = m.workspace_id
    where m.user_id = ${users}.id and w.deleted_at is null order by m.created_at, m.rowid limit 1
  )`
  await tx.update(users).set({ activeWorkspaceId: oldest }).where(and(
    eq(users.activeWorkspaceId, workspaceId),
    userId === undefined ? undefined : eq(users.id, userId),
  ))
}

/** Joins a membership with its workspace and drops it where that is deleted. */
export function isLivingWorkspaceOfMember(): SQL | undefined {
  return and(eq(workspaces.id, workspaceMembers.workspaceId), isNull(workspaces.deletedAt))
}

/** The condition that finds one membership. */
export function isMembership({ workspaceId, userId }: WorkspaceRef): SQL | undefined {
  return and(eq(workspaceMembers.workspaceId, workspaceId), eq(workspaceMembers.userId, userId))
}
