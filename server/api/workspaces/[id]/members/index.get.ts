/** Who belongs to a workspace; every member may ask. */
import { defineAuthHandler } from '../../../../http/auth-handler.ts'
import { authorize, requireStore } from '../../../../auth/session.ts'
import { readIdParam } from '../../../../workspaces/shapes.ts'

export default defineAuthHandler(async (event) => {
  const { user } = await authorize(event, 'workspace.read')
  const workspaceId = readIdParam(event, 'id', 'workspace')
  return { members: await requireStore().listMembers({ userId: user.id, workspaceId }) }
})
