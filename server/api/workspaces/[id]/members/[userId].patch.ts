/** Changes a member's role. The store lets owners only, and keeps the last one. */
import { defineAuthHandler, readChangeBody, requireChangingUser } from '../../../../http/auth-handler.ts'
import { requireStore } from '../../../../auth/session.ts'
import { memberBody, readIdParam } from '../../../../workspaces/shapes.ts'

export default defineAuthHandler(async (event) => {
  const { user } = await requireChangingUser(event)
  const workspaceId = readIdParam(event, 'id', 'workspace')
  const memberUserId = readIdParam(event, 'userId', 'member')
  const { role } = await readChangeBody(event, memberBody)
  await requireStore().setMemberRole({ userId: user.id, workspaceId, memberUserId, role })
  return { ok: true }
})
