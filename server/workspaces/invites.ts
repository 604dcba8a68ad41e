/**
 * Invites: a role in one workspace for one email address. Only the token's hash is known here.
 * Owners may invite as any role, editors as editor or viewer, viewers not at all; a role that may make an invite may
 * revoke it, and an invite falls with its inviter's right to it. A member's role is what was decided last: older
 * invites to them that grant more fall. `invite-acceptance.ts` lets people in.
 */
import { randomUUID } from 'node:crypto'
import { and, count, desc, eq, gt, inArray, lte, or, sql, type SQL } from 'drizzle-orm'
import type { SyncDatabase, WriteTransaction } from '../database/types.ts'
import { invites, users } from '../database/schema/index.ts'
import { compileSql } from '../database/statement.ts'
import { createSyncError } from '../errors.ts'
import { readNow } from '../database/read-now.ts'
import { nowSeconds } from '../lib/clock.ts'
import { requireRole } from './membership.ts'
import { isAtLeast, workspaceRoles } from '../auth/roles.ts'
import type { InviteStatus, NewInvite, WorkspaceInvite, WorkspaceRef, WorkspaceRole } from './store/types.ts'
import { isId } from '../lib/storable-text.ts'
import { isEmail, maxEmailLength, normalizeEmail } from './text.ts'

/** More than a team asks in at once; without an end to it an editor could fill the disk with them. */
const maxPendingInvites = 100
/**
 * Enough to see who came in of late. Were all kept, making and revoking in a loop would make every look at them slow.
 */
const maxEndedInvites = 100
/** All that are pending, so that none is hidden. */
const defaultListLimit = maxPendingInvites + maxEndedInvites
const maxListLimit = 500

interface EndedInvites { workspaceId: string, now: number }

/** What is overdue is over as well: it is marked so only when somebody lists. */
const dropOldEnded = compileSql<EndedInvites>(value => sql`
  delete from invites where workspace_id = ${value('workspaceId')} and id in (
    select id from invites
    where workspace_id = ${value('workspaceId')} and (status <> 'pending' or expires_at <= ${value('now')})
    order by updated_at desc, rowid desc limit -1 offset ${sql.raw(String(maxEndedInvites))})`)

/**
 * The oldest that are over go; their tokens are then unknown.
 * Throws INVALID_REQUEST, NOT_FOUND, FORBIDDEN, and CONFLICT for a token that is in use, or where too many are
 * pending.
 */
export async function createInvite(database: SyncDatabase, input: NewInvite): Promise<{ inviteId: string }> {
  const { workspaceId, role, invitedByUserId, expiresAt, tokenHash } = input
  const email = readInviteEmail(input.email)
  if (!isId(tokenHash) || !Number.isSafeInteger(expiresAt)) {
    throw createSyncError('INVALID_REQUEST', 'An invite needs the hash of a token and an end in epoch seconds.')
  }
  const id = randomUUID()
  const createdAt = await readNow(database)
  return database.write(async (tx) => {
    await requireInviteRight(tx, { workspaceId, userId: invitedByUserId }, role)
    const taken = await tx.select({ id: invites.id }).from(invites)
      .where(and(eq(invites.workspaceId, workspaceId), eq(invites.tokenHash, tokenHash))).get()
    if (taken) throw createSyncError('CONFLICT', 'This invite token is in use already.')
    await refuseTooMany(tx, workspaceId, createdAt)
    await tx.insert(invites).values({
      id, workspaceId, email, role, status: 'pending', invitedByUserId, tokenHash, expiresAt,
      createdAt, updatedAt: createdAt,
    })
    await tx.execute(dropOldEnded({ workspaceId, now: createdAt }))
    return { inviteId: id }
  })
}

/**
 * Pending ones first, then those that are over, each newest first; at most 500 (200 where no limit is given). Overdue
 * ones are marked expired before they are read.
 */
export async function listInvites(
  database: SyncDatabase,
  { workspaceId, status, limit = defaultListLimit }: { workspaceId: string, status?: InviteStatus, limit?: number },
): Promise<WorkspaceInvite[]> {
  const now = await readNow(database)
  const overdue = and(isPendingIn(workspaceId), lte(invites.expiresAt, now))
  const found = await database.read.select({ id: invites.id }).from(invites).where(overdue).limit(1)
  if (found.length > 0) {
    await database.write(tx => tx.update(invites).set({ status: 'expired', updatedAt: now }).where(overdue))
  }
  return database.read.select().from(invites)
    .where(and(eq(invites.workspaceId, workspaceId), status === undefined ? undefined : eq(invites.status, status)))
    .orderBy(sql`${invites.status} <> 'pending'`, desc(invites.createdAt), desc(sql`${invites}.rowid`))
    .limit(Math.min(Math.max(1, Math.trunc(limit) || defaultListLimit), maxListLimit))
}

/** Once revoked it stays so. Throws NOT_FOUND, FORBIDDEN, and CONFLICT after its acceptance. */
export async function revokeInvite(
  database: SyncDatabase,
  { workspaceId, inviteId, revokedByUserId }: { workspaceId: string, inviteId: string, revokedByUserId: string },
): Promise<void> {
  const self = and(eq(invites.workspaceId, workspaceId), eq(invites.id, inviteId))
  await database.write(async (tx) => {
    const caller = { workspaceId, userId: revokedByUserId }
    await requireRole(tx, caller, 'editor', 'Only an owner or an editor may revoke an invite.')
    const invite = await tx.select({ role: invites.role, status: invites.status }).from(invites).where(self).get()
    if (!invite) throw createSyncError('NOT_FOUND', 'No such invite.')
    await requireInviteRight(tx, caller, invite.role)
    if (invite.status === 'accepted') {
      throw createSyncError('CONFLICT', 'The invite was accepted: remove the member instead.')
    }
    if (invite.status !== 'revoked') await revokeWhere(tx, self)
  })
}

/**
 * Revokes what the member has invited and, with `role` (null: no longer a member), could not invite any more; and what
 * is open to the member and grants more than `role`, so that it does not undo what was decided after it.
 */
export async function revokeInvitesAbove(
  tx: WriteTransaction,
  member: WorkspaceRef,
  role: WorkspaceRole | null,
): Promise<void> {
  const notInvitable = workspaceRoles.filter(granted => !mayInvite(role, granted))
  const higher = workspaceRoles.filter(granted => role === null || !isAtLeast(role, granted))
  await revokeWhere(tx, and(
    isPendingIn(member.workspaceId),
    or(
      and(eq(invites.invitedByUserId, member.userId), inArray(invites.role, notInvitable)),
      and(inArray(invites.email, await readAddresses(tx, member)), inArray(invites.role, higher)),
    ),
  ))
}

/** Revokes what is open to the address. */
export async function revokeInvitesTo(tx: WriteTransaction, workspaceId: string, email: string): Promise<void> {
  await revokeWhere(tx, and(isPendingIn(workspaceId), eq(invites.email, email)))
}

/** The one of the user's last sign-in, and those they were let in by: a provider may name another one next time. */
async function readAddresses(tx: WriteTransaction, { workspaceId, userId }: WorkspaceRef): Promise<string[]> {
  const user = await tx.select({ email: users.email }).from(users).where(eq(users.id, userId)).get()
  const accepted = await tx.selectDistinct({ email: invites.email }).from(invites)
    .where(and(eq(invites.workspaceId, workspaceId), eq(invites.acceptedUserId, userId)))
  const addresses = accepted.map(invite => invite.email)
  return user?.email ? [normalizeEmail(user.email), ...addresses] : addresses
}

function isPendingIn(workspaceId: string): SQL | undefined {
  return and(eq(invites.workspaceId, workspaceId), eq(invites.status, 'pending'))
}

/** Those that are overdue can no longer be accepted, and do not count. */
async function refuseTooMany(tx: WriteTransaction, workspaceId: string, now: number): Promise<void> {
  const pending = await tx.select({ count: count() }).from(invites)
    .where(and(isPendingIn(workspaceId), gt(invites.expiresAt, now))).get()
  if (pending!.count < maxPendingInvites) return
  throw createSyncError('CONFLICT', `${maxPendingInvites} invites of this workspace are pending: revoke some first.`)
}

/** The address as it is stored and compared. Throws INVALID_REQUEST. */
function readInviteEmail(value: string): string {
  const email = normalizeEmail(value)
  if (isEmail(email)) return email
  throw createSyncError(
    'INVALID_REQUEST',
    `An invite's email address is name@domain, of at most ${maxEmailLength} characters.`,
  )
}

async function requireInviteRight(tx: WriteTransaction, caller: WorkspaceRef, granted: WorkspaceRole): Promise<void> {
  const role = await requireRole(tx, caller, 'editor', 'Only an owner or an editor may invite.')
  if (!mayInvite(role, granted)) throw createSyncError('FORBIDDEN', 'An invite cannot grant more than your own role.')
}

function mayInvite(role: WorkspaceRole | null, granted: WorkspaceRole): boolean {
  return role !== null && isAtLeast(role, 'editor') && isAtLeast(role, granted)
}

async function revokeWhere(tx: WriteTransaction, where: SQL | undefined): Promise<void> {
  const now = nowSeconds()
  await tx.update(invites).set({ status: 'revoked', revokedAt: now, updatedAt: now }).where(where)
}
