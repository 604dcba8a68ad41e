/**
 * Joins the workspace a token invites to. Asks for an account only, so that a newcomer starts in that workspace. Wrong
 * tokens count too.
 */
import { acceptInviteToken } from '../../workspaces/accept-token.ts'
import { defineAuthHandler, readChangeBody } from '../../http/auth-handler.ts'
import { countRequest } from '../../http/rate-limit.ts'
import { requireAccount, requireStore } from '../../auth/session.ts'
import { acceptBody } from '../../workspaces/shapes.ts'

export default defineAuthHandler(async (event) => {
  const account = await requireAccount(event)
  countRequest(event, 'workspaces', `${account.provider}\0${account.providerUserId}`)
  const { token } = await readChangeBody(event, acceptBody, requireAccount)
  return acceptInviteToken(requireStore(), account, token)
})
