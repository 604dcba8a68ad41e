/** Deletes a workspace for all its members. The store lets owners only. */
import { defineAuthHandler } from '../../auth/endpoint.ts'
import { authorize, requireStore } from '../../auth/session.ts'
import { readIdParam } from '../../auth/shapes.ts'

export default defineAuthHandler(async (event) => {
  const { user } = await authorize(event, 'workspace.read')
  const workspaceId = readIdParam(event, 'id', 'workspace')
  await requireStore().removeWorkspace({ userId: user.id, workspaceId })
  return { ok: true }
})
