/** Joins the workspace a token invites to. Asks for an account only, so that a newcomer starts in that workspace. */
import { defineEventHandler } from 'h3'
import { readJsonBody } from '../../api-body.ts'
import { acceptInviteToken } from '../../auth/accept-token.ts'
import { requireAccount, requireStore } from '../../auth/session.ts'
import { acceptBody } from '../../auth/shapes.ts'

export default defineEventHandler(async (event) => {
  const account = await requireAccount(event)
  const { token } = await readJsonBody(event, acceptBody)
  return acceptInviteToken(requireStore(), account, token)
})
