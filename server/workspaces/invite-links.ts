/**
 * Invite links: whoever has one joins the workspace with the link's role, as long as the link lasts and has uses left.
 * Owners and editors make links, as editor or viewer; a link falls with its maker's right to it. A link lets people in
 * and changes nobody's role. Only the hash of its token is stored. `invites.ts` has the invites for one address.
 */
import { randomUUID } from 'node:crypto'
import { and, desc, eq, gt, inArray, isNull, lt, lte, or, sql, type SQL } from 'drizzle-orm'
import type { SyncDatabase, WriteTransaction } from '../database/types.ts'
import { inviteLinks, workspaceMembers, workspaces } from '../database/schema/index.ts'
import { createSyncError } from '../errors.ts'
import { isAtLeast, workspaceRoles } from '../auth/roles.ts'
import { readNow } from '../database/read-now.ts'
import { nowSeconds } from '../lib/clock.ts'
import { readRole, requireRole } from './membership.ts'
import type {
  AcceptedLink, AccountInput, LinkRefusal, NewInviteLink, WorkspaceInviteLink, WorkspaceRef, WorkspaceRole,
} from './store/types.ts'
import { ensureUser, readAccount, readProfile } from './users.ts'

/** More links than a team hands out; without a bound an editor could fill the disk with them. */
const maxLinks = 100

/**
 * Makes a link; those that are over are dropped. Throws NOT_FOUND, FORBIDDEN, and CONFLICT where the workspace has 100
 * links that last.
 */
export async function createInviteLink(database: SyncDatabase, input: NewInviteLink): Promise<{ linkId: string }> {
  const { workspaceId, createdByUserId, role, maxUses, expiresAt, tokenHash } = input
  const now = await readNow(database)
  return database.write(async (tx) => {
    await requireLinkRight(tx, { workspaceId, userId: createdByUserId }, role)
    await tx.delete(inviteLinks).where(and(eq(inviteLinks.workspaceId, workspaceId), isOver(now)))
    const lasting = await tx.$count(inviteLinks, eq(inviteLinks.workspaceId, workspaceId))
    if (lasting >= maxLinks) {
      throw createSyncError('CONFLICT', `This workspace has ${maxLinks} invite links: revoke some first.`)
    }
    const id = randomUUID()
    await tx.insert(inviteLinks).values({
      id, workspaceId, role, tokenHash, createdByUserId, maxUses, uses: 0, expiresAt, createdAt: now,
    })
    return { linkId: id }
  })
}

/** The links that can still be used, newest first. */
export async function listInviteLinks(
  database: SyncDatabase, { workspaceId }: { workspaceId: string },
): Promise<WorkspaceInviteLink[]> {
  const now = await readNow(database)
  return database.read.select({
    id: inviteLinks.id,
    role: inviteLinks.role,
    maxUses: inviteLinks.maxUses,
    uses: inviteLinks.uses,
    expiresAt: inviteLinks.expiresAt,
    createdByUserId: inviteLinks.createdByUserId,
    createdAt: inviteLinks.createdAt,
  })
    .from(inviteLinks)
    .where(and(
      eq(inviteLinks.workspaceId, workspaceId), isNull(inviteLinks.revokedAt),
      gt(inviteLinks.expiresAt, now), lt(inviteLinks.uses, inviteLinks.maxUses),
    ))
    .orderBy(desc(inviteLinks.createdAt), desc(sql`${inviteLinks}.rowid`))
    .limit(maxLinks)
}

/** Ends a link. Throws NOT_FOUND, FORBIDDEN. */
export async function revokeInviteLink(
  database: SyncDatabase,
  { workspaceId, linkId, revokedByUserId }: { workspaceId: string, linkId: string, revokedByUserId: string },
): Promise<void> {
  const self = and(eq(inviteLinks.workspaceId, workspaceId), eq(inviteLinks.id, linkId))
  await database.write(async (tx) => {
    const caller = { workspaceId, userId: revokedByUserId }
    await requireRole(tx, caller, 'editor', 'Only an owner or an editor may revoke a link.')
    const link = await tx.select({ role: inviteLinks.role }).from(inviteLinks).where(self).get()
    if (!link) throw createSyncError('NOT_FOUND', 'No such link.')
    await revokeWhere(tx, self)
  })
}

/**
 * Lets the account in, in one transaction with the count of uses, so that a link with one use lets one in. A member
 * stays what they are, and uses nothing up.
 */
export async function acceptInviteLink(
  database: SyncDatabase, input: AccountInput & { workspaceId: string, tokenHash: string },
): Promise<AcceptedLink> {
  const account = readAccount(input)
  const profile = readProfile(input)
  const { workspaceId, tokenHash } = input
  const now = await readNow(database)
  return database.write(async (tx) => {
    const link = await findUsable(tx, workspaceId, tokenHash, now)
    if (!link.ok) return link
    const { userId } = await ensureUser(tx, account, profile)
    const held = await readRole(tx, { workspaceId, userId })
    if (held) return { ok: true, userId, role: held }
    if (link.isUsedUp) return { ok: false, reason: 'used_up' }
    await tx.insert(workspaceMembers).values({ workspaceId, userId, role: link.role, createdAt: now })
    await tx.update(inviteLinks).set({ uses: sql`${inviteLinks.uses} + 1` })
      .where(and(eq(inviteLinks.workspaceId, workspaceId), eq(inviteLinks.id, link.id)))
    return { ok: true, userId, role: link.role }
  })
}

/** Within a transaction: ends the workspace's links that grant more than `role`, or all of them (null). */
export async function revokeLinksAbove(
  tx: WriteTransaction, workspaceId: string, role: WorkspaceRole | null,
): Promise<void> {
  const higher = workspaceRoles.filter(granted => role === null || !isAtLeast(role, granted))
  await revokeWhere(tx, and(eq(inviteLinks.workspaceId, workspaceId), inArray(inviteLinks.role, higher)))
}

interface UsableLink { ok: true, id: string, role: WorkspaceRole, isUsedUp: boolean }

/** A link into a deleted workspace is not found. One whose maker may not make it any more counts as revoked. */
async function findUsable(
  tx: WriteTransaction, workspaceId: string, tokenHash: string, now: number,
): Promise<UsableLink | { ok: false, reason: LinkRefusal }> {
  const link = await tx.select({
    id: inviteLinks.id,
    role: inviteLinks.role,
    maxUses: inviteLinks.maxUses,
    uses: inviteLinks.uses,
    expiresAt: inviteLinks.expiresAt,
    revokedAt: inviteLinks.revokedAt,
    createdByUserId: inviteLinks.createdByUserId,
  })
    .from(inviteLinks)
    .innerJoin(workspaces, and(eq(workspaces.id, inviteLinks.workspaceId), isNull(workspaces.deletedAt)))
    .where(and(eq(inviteLinks.workspaceId, workspaceId), eq(inviteLinks.tokenHash, tokenHash)))
    .get()
  if (!link) return { ok: false, reason: 'not_found' }
  const makersRole = await readRole(tx, { workspaceId, userId: link.createdByUserId })
  if (link.revokedAt !== null || !mayMake(makersRole, link.role)) return { ok: false, reason: 'revoked' }
  if (link.expiresAt <= now) return { ok: false, reason: 'expired' }
  return { ok: true, id: link.id, role: link.role, isUsedUp: link.uses >= link.maxUses }
}

async function requireLinkRight(tx: WriteTransaction, caller: WorkspaceRef, granted: WorkspaceRole): Promise<void> {
  const role = await requireRole(tx, caller, 'editor', 'Only an owner or an editor may invite.')
  if (!mayMake(role, granted)) {
    throw createSyncError('FORBIDDEN', 'A link cannot make somebody an owner: invite an address.')
  }
}

function mayMake(role: WorkspaceRole | null, granted: WorkspaceRole): boolean {
  return role !== null && isAtLeast(role, 'editor') && granted !== 'owner'
}

function isOver(now: number): SQL | undefined {
  return or(
    sql`${inviteLinks.revokedAt} is not null`, lte(inviteLinks.expiresAt, now),
    sql`${inviteLinks.uses} >= ${inviteLinks.maxUses}`,
  )
}

async function revokeWhere(tx: WriteTransaction, where: SQL | undefined): Promise<void> {
  await tx.update(inviteLinks).set({ revokedAt: nowSeconds() }).where(and(where, isNull(inviteLinks.revokedAt)))
}
