/** Deletes a workspace for all its members. The store lets owners only. */
import { requireChangingUser, defineAuthHandler } from '../../http/auth-handler.ts'
import { requireStore } from '../../auth/session.ts'
import { readIdParam } from '../../workspaces/shapes.ts'

export default defineAuthHandler(async (event) => {
  const { user } = await requireChangingUser(event)
  const workspaceId = readIdParam(event, 'id', 'workspace')
  await requireStore().removeWorkspace({ userId: user.id, workspaceId })
  return { ok: true }
})
