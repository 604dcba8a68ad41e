/** Joins the workspace that a token invites to, and opens it. Reads the account only: a newcomer gets no other workspace. */
import type { AcceptedInvite } from '../../../shared/answers.ts'
import { readJsonBody } from '../../http/body.ts'
import { acceptInviteToken } from '../../workspaces/accept-token.ts'
import { defineAuthHandler } from '../../http/auth-handler.ts'
import { requireAccount, requireStore } from '../../auth/session.ts'
import { acceptBody } from '../../workspaces/shapes.ts'

export default defineAuthHandler(async (event): Promise<AcceptedInvite> => {
  const account = await requireAccount(event)
  const { token } = await readJsonBody(event, acceptBody)
  return acceptInviteToken(requireStore(), account, token)
})
