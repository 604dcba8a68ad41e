/**
 * Letting the invited in. Judging an invite and using it up are one transaction of the one writer, so of any number
 * of simultaneous acceptances one succeeds. The address must be the invited one; that the provider has verified it
 * is the provider's word.
 */
import { and, eq, isNull } from 'drizzle-orm'
import type { ReadDatabase, SyncDatabase, WriteTransaction } from '../database/types.ts'
import { invites, workspaceMembers, workspaces } from '../database/schema/index.ts'
import { readNow } from '../database/read-now.ts'
import { revokeInvitesTo } from './invites.ts'
import { isMembership, readRole } from './membership.ts'
import { higherRole } from '../auth/roles.ts'
import type { AccountInput, InviteRef, InviteRefusal, WorkspaceRole } from './store/types.ts'
import { normalizeEmail } from './text.ts'
import { ensureUser, readAccount, readProfile, requireUser } from './users.ts'

export interface InviteRefused { ok: false, reason: InviteRefusal }
interface UsableInvite { ok: true, id: string, workspaceId: string, email: string, role: WorkspaceRole }

/** Reads only: what an acceptance at this moment would say. */
export async function validateInvite(
  database: SyncDatabase,
  input: InviteRef,
): Promise<{ ok: true, role: WorkspaceRole } | InviteRefused> {
  const invite = await judgeInvite(database.read, input, await readNow(database))
  return invite.ok ? { ok: true, role: invite.role } : invite
}

/** User, account, membership and the invite's end at once. A higher role held already is kept. */
export async function acceptInviteAndProvisionUser(
  database: SyncDatabase,
  input: AccountInput & InviteRef,
): Promise<{ ok: true, userId: string, role: WorkspaceRole, createdUser: boolean } | InviteRefused> {
  const account = readAccount(input)
  const profile = readProfile(input)
  const now = await readNow(database)
  return database.write(async (tx) => {
    const invite = await judgeInvite(tx, input, now)
    if (!invite.ok) return invite
    const { userId, created } = await ensureUser(tx, account, profile)
    return { ok: true, userId, role: await join(tx, invite, userId, now), createdUser: created }
  })
}

/** The older form, for a user that exists already. Throws NOT_FOUND for no such user. */
export async function consumeInvite(
  database: SyncDatabase,
  input: InviteRef & { acceptedUserId: string },
): Promise<{ ok: true, role: WorkspaceRole } | InviteRefused> {
  const now = await readNow(database)
  return database.write(async (tx) => {
    const invite = await judgeInvite(tx, input, now)
    if (!invite.ok) return invite
    await requireUser(tx, input.acceptedUserId)
    return { ok: true, role: await join(tx, invite, input.acceptedUserId, now) }
  })
}

/** An invite into a deleted workspace is not found; of what it has become only the invited address is told. */
async function judgeInvite(
  reader: Pick<ReadDatabase, 'select'>,
  { workspaceId, email, tokenHash }: InviteRef,
  now: number,
): Promise<UsableInvite | InviteRefused> {
  const invite = await reader
    .select({
      id: invites.id,
      email: invites.email,
      role: invites.role,
      status: invites.status,
      expiresAt: invites.expiresAt,
    })
    .from(invites)
    .innerJoin(workspaces, and(eq(workspaces.id, invites.workspaceId), isNull(workspaces.deletedAt)))
    .where(and(eq(invites.workspaceId, workspaceId), eq(invites.tokenHash, tokenHash)))
    .get()
  if (!invite) return { ok: false, reason: 'not_found' }
  // Older releases stored the domain as it was written.
  if (normalizeEmail(invite.email) !== normalizeEmail(email)) return { ok: false, reason: 'email_mismatch' }
  if (invite.status === 'accepted') return { ok: false, reason: 'already_used' }
  if (invite.status === 'revoked') return { ok: false, reason: 'revoked' }
  if (invite.status === 'expired' || invite.expiresAt <= now) return { ok: false, reason: 'expired' }
  return { ok: true, id: invite.id, workspaceId, email: invite.email, role: invite.role }
}

/**
 * Uses the invite up, and with it the others to its address, so that none of them raises the member again later. The
 * active workspace stays; a newcomer's first session finds this one, their only one.
 */
async function join(
  tx: WriteTransaction, invite: UsableInvite, userId: string, now: number,
): Promise<WorkspaceRole> {
  const { workspaceId } = invite
  const held = await readRole(tx, { workspaceId, userId })
  const role = held ? higherRole(held, invite.role) : invite.role
  if (!held) await tx.insert(workspaceMembers).values({ workspaceId, userId, role, createdAt: now })
  else if (held !== role) await tx.update(workspaceMembers).set({ role }).where(isMembership({ workspaceId, userId }))
  await tx.update(invites)
    .set({ status: 'accepted', acceptedAt: now, acceptedUserId: userId, updatedAt: now })
    .where(and(eq(invites.workspaceId, workspaceId), eq(invites.id, invite.id)))
  await revokeInvitesTo(tx, workspaceId, invite.email)
  return role
}
