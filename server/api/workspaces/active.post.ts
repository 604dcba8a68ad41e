/** Makes another workspace of the caller's the active one, on all their devices. */
import { defineAuthHandler, readChangeBody, requireChangingUser } from '../../http/auth-handler.ts'
import { requireStore } from '../../auth/session.ts'
import { activeWorkspaceBody } from '../../workspaces/shapes.ts'

export default defineAuthHandler(async (event) => {
  const { user } = await requireChangingUser(event)
  const { id } = await readChangeBody(event, activeWorkspaceBody)
  await requireStore().setActiveWorkspace({ userId: user.id, workspaceId: id })
  return { ok: true }
})
