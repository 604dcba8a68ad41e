/** Ends an invite link; owners and editors may. */
import { requireStore } from '../../../../auth/session.ts'
import { defineAuthHandler, requireChangingUser } from '../../../../http/auth-handler.ts'
import { readIdParam } from '../../../../workspaces/shapes.ts'

export default defineAuthHandler(async (event) => {
  const { user } = await requireChangingUser(event)
  const workspaceId = readIdParam(event, 'id', 'workspace')
  const linkId = readIdParam(event, 'linkId', 'link')
  await requireStore().revokeInviteLink({ workspaceId, linkId, revokedByUserId: user.id })
  return { ok: true }
})
