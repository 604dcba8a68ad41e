/** Who the server thinks is asking: the session, or null. Anybody may ask, so it is the address that has a limit. */
import { defineEventHandler, setResponseHeader } from 'h3'
import { readAddress } from '../../auth/address.ts'
import { resolveSession } from '../../auth/session.ts'
import { countRequest } from '../../sync/rate-limit.ts'
import { readSyncSettings } from '../../sync/settings.ts'

export default defineEventHandler(async (event) => {
  setResponseHeader(event, 'Cache-Control', 'no-store')
  const address = readAddress(event, readSyncSettings().trustedProxies)
  const takeBack = address === null ? undefined : countRequest(event, 'session', address)
  try {
    return { session: await resolveSession(event) }
  }
  catch (error) {
    takeBack?.()
    throw error
  }
})
