/** Invites an email address. The token is in this answer and nowhere else; bringing it there is the app's affair. */
import type { CreatedInvite } from '../../../../../shared/answers.ts'
import { readNow } from '../../../../database/read-now.ts'
import { defineAuthHandler, readChangeBody, requireChangingUser } from '../../../../http/auth-handler.ts'
import { useSyncDatabase } from '../../../../layer.ts'
import { createInviteToken } from '../../../../workspaces/invite-token.ts'
import { requireStore } from '../../../../auth/session.ts'
import { inviteBody, readIdParam } from '../../../../workspaces/shapes.ts'

export default defineAuthHandler(async (event): Promise<CreatedInvite> => {
  const { user } = await requireChangingUser(event)
  const workspaceId = readIdParam(event, 'id', 'workspace')
  const { email, role, expiresInSeconds } = await readChangeBody(event, inviteBody)
  const { token, tokenHash } = createInviteToken(workspaceId)
  const expiresAt = await readNow(await useSyncDatabase()) + expiresInSeconds
  const { inviteId } = await requireStore().createInvite({
    workspaceId, email, role, invitedByUserId: user.id, expiresAt, tokenHash,
  })
  return { id: inviteId, token, expiresAt }
})
