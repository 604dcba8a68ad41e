/** Removes a member; with one's own id: leaves. The store keeps the last owner. */
import { defineEventHandler } from 'h3'
import { authorize, requireStore } from '../../../../auth/session.ts'
import { readIdParam } from '../../../../auth/shapes.ts'

export default defineEventHandler(async (event) => {
  const { user } = await authorize(event, 'workspace.read')
  const workspaceId = readIdParam(event, 'id', 'workspace')
  const memberUserId = readIdParam(event, 'userId', 'member')
  await requireStore().removeMember({ userId: user.id, workspaceId, memberUserId })
  return { ok: true }
})
