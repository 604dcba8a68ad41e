/**
 * Joins the workspace that a token invites to, and opens it. Reads the account only, so that a newcomer gets no other
 * workspace. Wrong tokens count too.
 */
import type { AcceptedInvite } from '../../../shared/answers.ts'
import { acceptInviteToken } from '../../workspaces/accept-token.ts'
import { defineAuthHandler, readChangeBody } from '../../http/auth-handler.ts'
import { countRequest } from '../../http/rate-limit.ts'
import { requireAccount, requireStore } from '../../auth/session.ts'
import { acceptBody } from '../../workspaces/shapes.ts'

export default defineAuthHandler(async (event): Promise<AcceptedInvite> => {
  const account = await requireAccount(event)
  countRequest(event, 'workspaces', `${account.provider}\0${account.providerUserId}`)
  const { token } = await readChangeBody(event, acceptBody, requireAccount)
  return acceptInviteToken(requireStore(), account, token)
})
