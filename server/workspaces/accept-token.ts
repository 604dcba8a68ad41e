/**
 * A signed-in account hands in an invite's token. A token that is unknown and one meant for another address are
 * answered alike; only the invited hear what has become of their invite.
 */
import { createSyncError } from '../errors.ts'
import { parseInviteToken } from './invite-token.ts'
import type { AccountInput, AuthWorkspaceStore, WorkspaceRole } from './store/types.ts'

const refusals = {
  already_used: 'This invite was used already.',
  revoked: 'This invite was withdrawn.',
  expired: 'This invite has expired.',
}

/** Throws NOT_FOUND, and CONFLICT for an invite that is over. */
export async function acceptInviteToken(
  store: Required<AuthWorkspaceStore>,
  account: AccountInput,
  token: string,
): Promise<{ workspaceId: string, role: WorkspaceRole }> {
  const parsed = parseInviteToken(token)
  // A provider may tell the address at the first sign-in only.
  const email = account.email ?? (await store.getUser(account))?.email
  if (!parsed || !email) throw unknownInvite()
  const { workspaceId, tokenHash } = parsed
  const result = await store.acceptInviteAndProvisionUser({ ...account, email, workspaceId, tokenHash })
  if (result.ok) return { workspaceId, role: result.role }
  if (result.reason === 'not_found' || result.reason === 'email_mismatch') throw unknownInvite()
  throw createSyncError('CONFLICT', refusals[result.reason])
}

function unknownInvite() {
  return createSyncError('NOT_FOUND', 'No such invite for the account you are signed in with.')
}
