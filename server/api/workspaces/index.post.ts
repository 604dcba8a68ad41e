/** A new workspace with the caller as its owner; it does not become the active one. */
import type { CreatedWorkspace } from '../../../shared/answers.ts'
import { defineAuthHandler, readChangeBody, requireChangingUser } from '../../http/auth-handler.ts'
import { requireStore } from '../../auth/session.ts'
import { workspaceBody } from '../../workspaces/shapes.ts'

export default defineAuthHandler(async (event): Promise<CreatedWorkspace> => {
  const { user } = await requireChangingUser(event)
  const body = await readChangeBody(event, workspaceBody)
  const { workspaceId } = await requireStore().createWorkspace({ userId: user.id, ...body })
  return { id: workspaceId }
})
