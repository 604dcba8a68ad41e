/** The caller's workspaces, newest first. */
import type { WorkspacesAnswer } from '../../../shared/answers.ts'
import { defineAuthHandler } from '../../http/auth-handler.ts'
import { requireSession, requireStore } from '../../auth/session.ts'

export default defineAuthHandler(async (event): Promise<WorkspacesAnswer> => {
  const { user, workspace } = await requireSession(event)
  const workspaces = await requireStore().listUserWorkspaces(user.id)
  return {
    workspaces: workspaces
      .map(item => ({
        ...item, description: item.description ?? null, createdAt: item.createdAt ?? 0,
        isActive: item.id === workspace.id,
      }))
      .sort((a, b) => b.createdAt - a.createdAt),
  }
})
