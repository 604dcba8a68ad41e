/** Revokes an invite; who could have made it may. */
import { requireChangingUser, defineAuthHandler } from '../../../../http/auth-handler.ts'
import { requireStore } from '../../../../auth/session.ts'
import { readIdParam } from '../../../../workspaces/shapes.ts'

export default defineAuthHandler(async (event) => {
  const { user } = await requireChangingUser(event)
  const workspaceId = readIdParam(event, 'id', 'workspace')
  const inviteId = readIdParam(event, 'inviteId', 'invite')
  await requireStore().revokeInvite({ workspaceId, inviteId, revokedByUserId: user.id })
  return { ok: true }
})
