/**
 * The caller's session, or null, and what its active workspace has used of its quota. Anybody may ask, so the limit
 * counts by address.
 */
import type { SessionAnswer } from '../../../shared/answers.ts'
import { setResponseHeader } from 'h3'
import { defineHandler } from '../../http/errors.ts'
import { readAddress } from '../../http/address.ts'
import { resolveSession } from '../../auth/session.ts'
import { countRequest } from '../../http/rate-limit.ts'
import { readSyncSettings } from '../../config/sync.ts'
import { openedEngine } from '../../layer.ts'
import { createUserCaller } from '../../sync/caller.ts'

export default defineHandler(async (event): Promise<SessionAnswer> => {
  setResponseHeader(event, 'Cache-Control', 'no-store')
  const address = readAddress(event, readSyncSettings().trustedProxies)
  const count = address === null ? undefined : countRequest(event, 'session', address)
  try {
    const session = await resolveSession(event)
    if (!session) return { session }
    const engine = openedEngine()
    const usage = await engine?.readUsage(createUserCaller(session.workspace.id, session.user.id))
    return { session, ...usage && { usage } }
  }
  catch (error) {
    count?.refund()
    throw error
  }
})
