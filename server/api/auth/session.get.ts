/** Who the server thinks is asking: the session, or null. */
import { defineEventHandler, setResponseHeader } from 'h3'
import { resolveSession } from '../../auth/session.ts'

export default defineEventHandler(async (event) => {
  setResponseHeader(event, 'Cache-Control', 'no-store')
  return { session: await resolveSession(event) }
})
