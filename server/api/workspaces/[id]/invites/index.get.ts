/** The invites into a workspace, for those who may invite. Token hashes stay here. */
import type { InvitesAnswer } from '../../../../../shared/answers.ts'
import { defineAuthHandler } from '../../../../http/auth-handler.ts'
import { assertRole } from '../../../../workspaces/membership.ts'
import { requireStore, requireUser } from '../../../../auth/session.ts'
import { readIdParam } from '../../../../workspaces/shapes.ts'

export default defineAuthHandler(async (event): Promise<InvitesAnswer> => {
  const { user } = await requireUser(event)
  const workspaceId = readIdParam(event, 'id', 'workspace')
  const store = requireStore()
  assertRole(await store.getWorkspaceRole({ userId: user.id, workspaceId }), 'editor')
  const invites = await store.listInvites({ workspaceId })
  return { invites: invites.map(({ tokenHash, ...invite }) => invite) }
})
