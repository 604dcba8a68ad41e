/** Renames a workspace of the caller's. The store decides by the caller's role in that workspace. */
import { defineAuthHandler, readChangeBody, requireChangingUser } from '../../http/auth-handler.ts'
import { requireStore } from '../../auth/session.ts'
import { readIdParam, workspaceBody } from '../../workspaces/shapes.ts'

export default defineAuthHandler(async (event) => {
  const { user } = await requireChangingUser(event)
  const workspaceId = readIdParam(event, 'id', 'workspace')
  const body = await readChangeBody(event, workspaceBody)
  await requireStore().updateWorkspace({ userId: user.id, workspaceId, ...body })
  return { ok: true }
})
