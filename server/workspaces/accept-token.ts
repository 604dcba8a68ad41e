/**
 * A signed-in account hands in a token, of an invite for one address or of a link. A token that is unknown and one
 * meant for another address are answered alike; only the invited are told what has become of their invite. The
 * workspace is then the user's active one.
 */
import { createSyncError } from '../errors.ts'
import { parseInviteToken } from './invite-token.ts'
import type { AccountInput, AuthWorkspaceStore, WorkspaceRole } from './store/types.ts'

const refusals = {
  already_used: 'This invite was used already.',
  revoked: 'This invite was withdrawn.',
  expired: 'This invite has expired.',
  used_up: 'This link has been used as often as it may be.',
}

/** Throws NOT_FOUND, and CONFLICT for an invite that is over. */
export async function acceptInviteToken(
  store: Required<AuthWorkspaceStore>,
  account: AccountInput,
  token: string,
): Promise<{ workspaceId: string, role: WorkspaceRole }> {
  const parsed = parseInviteToken(token)
  if (!parsed) throw unknownInvite()
  const { workspaceId, tokenHash } = parsed
  const byLink = await store.acceptInviteLink({ ...account, workspaceId, tokenHash })
  const result = byLink.ok || byLink.reason !== 'not_found'
    ? byLink
    : await acceptInvite(store, account, workspaceId, tokenHash)
  if (!result.ok) {
    if (result.reason === 'not_found' || result.reason === 'email_mismatch') throw unknownInvite()
    throw createSyncError('CONFLICT', refusals[result.reason])
  }
  await store.setActiveWorkspace({ userId: result.userId, workspaceId })
  return { workspaceId, role: result.role }
}

async function acceptInvite(
  store: Required<AuthWorkspaceStore>, account: AccountInput, workspaceId: string, tokenHash: string,
) {
  // A provider may tell the address at the first sign-in only.
  const email = account.email ?? (await store.getUser(account))?.email
  if (!email) throw unknownInvite()
  return store.acceptInviteAndProvisionUser({ ...account, email, workspaceId, tokenHash })
}

function unknownInvite() {
  return createSyncError('NOT_FOUND', 'No such invite for the account you are signed in with.')
}
