/** Who belongs to a workspace; every member may ask. */
import { defineEventHandler } from 'h3'
import { authorize, requireStore } from '../../../../auth/session.ts'
import { readIdParam } from '../../../../auth/shapes.ts'

export default defineEventHandler(async (event) => {
  const { user } = await authorize(event, 'workspace.read')
  const workspaceId = readIdParam(event, 'id', 'workspace')
  return { members: await requireStore().listMembers({ userId: user.id, workspaceId }) }
})
