/** The invite links of a workspace that can still be used, for those who may invite. Tokens are not known any more. */
import type { InviteLinksAnswer } from '../../../../../shared/answers.ts'
import { requireStore, requireUser } from '../../../../auth/session.ts'
import { defineAuthHandler } from '../../../../http/auth-handler.ts'
import { assertRole } from '../../../../workspaces/membership.ts'
import { readIdParam } from '../../../../workspaces/shapes.ts'

export default defineAuthHandler(async (event): Promise<InviteLinksAnswer> => {
  const { user } = await requireUser(event)
  const workspaceId = readIdParam(event, 'id', 'workspace')
  const store = requireStore()
  assertRole(await store.getWorkspaceRole({ userId: user.id, workspaceId }), 'editor')
  return { links: await store.listInviteLinks({ workspaceId }) }
})
