/** The caller's workspaces, newest first. */
import { defineAuthHandler } from '../../http/auth-handler.ts'
import { requireSession, requireStore } from '../../auth/session.ts'

export default defineAuthHandler(async (event) => {
  const { user, workspace } = await requireSession(event)
  const workspaces = await requireStore().listUserWorkspaces(user.id)
  return {
    workspaces: workspaces
      .map(item => ({ ...item, description: item.description ?? null, isActive: item.id === workspace.id }))
      .sort((a, b) => (b.createdAt ?? 0) - (a.createdAt ?? 0)),
  }
})
