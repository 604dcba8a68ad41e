/** Who belongs to a workspace; every member may ask. */
import type { MembersAnswer } from '../../../../../shared/answers.ts'
import { defineAuthHandler } from '../../../../http/auth-handler.ts'
import { requireStore, requireUser } from '../../../../auth/session.ts'
import { readIdParam } from '../../../../workspaces/shapes.ts'

export default defineAuthHandler(async (event): Promise<MembersAnswer> => {
  const { user } = await requireUser(event)
  const workspaceId = readIdParam(event, 'id', 'workspace')
  return { members: await requireStore().listMembers({ userId: user.id, workspaceId }) }
})
