/** Who the server thinks is asking: the session, or null. Anybody may ask, so it is the address that has a limit. */
import type { SessionAnswer } from '../../../shared/answers.ts'
import { setResponseHeader } from 'h3'
import { defineHandler } from '../../http/errors.ts'
import { readAddress } from '../../http/address.ts'
import { resolveSession } from '../../auth/session.ts'
import { countRequest } from '../../http/rate-limit.ts'
import { readSyncSettings } from '../../config/sync.ts'

export default defineHandler(async (event): Promise<SessionAnswer> => {
  setResponseHeader(event, 'Cache-Control', 'no-store')
  const address = readAddress(event, readSyncSettings().trustedProxies)
  const refund = address === null ? undefined : countRequest(event, 'session', address)
  try {
    return { session: await resolveSession(event) }
  }
  catch (error) {
    refund?.()
    throw error
  }
})
