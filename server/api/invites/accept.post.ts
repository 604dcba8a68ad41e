/** Joins the workspace a token invites to. Asks for an account only, so that a newcomer starts in that workspace. */
import { readJsonBody } from '../../http/body.ts'
import { acceptInviteToken } from '../../workspaces/accept-token.ts'
import { defineAuthHandler } from '../../http/auth-handler.ts'
import { requireAccount, requireStore } from '../../auth/session.ts'
import { acceptBody } from '../../workspaces/shapes.ts'

export default defineAuthHandler(async (event) => {
  const account = await requireAccount(event)
  const { token } = await readJsonBody(event, acceptBody)
  return acceptInviteToken(requireStore(), account, token)
})
