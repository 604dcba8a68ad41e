/** Makes an invite link. The token is in this answer and nowhere else. */
import type { CreatedInviteLink } from '../../../../../shared/answers.ts'
import { readNow } from '../../../../database/read-now.ts'
import { requireStore } from '../../../../auth/session.ts'
import { defineAuthHandler, readChangeBody, requireChangingUser } from '../../../../http/auth-handler.ts'
import { useSyncDatabase } from '../../../../layer.ts'
import { createInviteToken } from '../../../../workspaces/invite-token.ts'
import { inviteLinkBody, readIdParam } from '../../../../workspaces/shapes.ts'

export default defineAuthHandler(async (event): Promise<CreatedInviteLink> => {
  const { user } = await requireChangingUser(event)
  const workspaceId = readIdParam(event, 'id', 'workspace')
  const { role, maxUses, expiresInSeconds } = await readChangeBody(event, inviteLinkBody)
  const { token, tokenHash } = createInviteToken(workspaceId)
  const expiresAt = await readNow(await useSyncDatabase()) + expiresInSeconds
  const { linkId } = await requireStore().createInviteLink({
    workspaceId, createdByUserId: user.id, role, maxUses, expiresAt, tokenHash,
  })
  return { id: linkId, token, maxUses, expiresAt }
})
