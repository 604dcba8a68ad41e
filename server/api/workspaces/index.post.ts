/** A new workspace with the caller as its owner; it does not become the active one. */
import { defineEventHandler } from 'h3'
import { readJsonBody } from '../../api-body.ts'
import { authorize, requireStore } from '../../auth/session.ts'
import { workspaceBody } from '../../auth/shapes.ts'

export default defineEventHandler(async (event) => {
  const { user } = await authorize(event, 'workspace.read')
  const body = await readJsonBody(event, workspaceBody)
  const { workspaceId } = await requireStore().createWorkspace({ userId: user.id, ...body })
  return { id: workspaceId }
})
