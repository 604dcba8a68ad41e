/** Removes a member; with one's own id: leaves. The store keeps the last owner. */
import { requireChangingUser, defineAuthHandler } from '../../../../http/auth-handler.ts'
import { requireStore } from '../../../../auth/session.ts'
import { readIdParam } from '../../../../workspaces/shapes.ts'

export default defineAuthHandler(async (event) => {
  const { user } = await requireChangingUser(event)
  const workspaceId = readIdParam(event, 'id', 'workspace')
  const memberUserId = readIdParam(event, 'userId', 'member')
  await requireStore().removeMember({ userId: user.id, workspaceId, memberUserId })
  return { ok: true }
})
