import { setResponseHeader, setResponseStatus } from 'h3'
import { defineHandler } from '../http/errors.ts'
import { openedEngine } from '../layer.ts'
import { readRecentHealth } from '../operations/health.ts'

/** For everybody: it tells nothing of a tenant, no path and no secret. */
export default defineHandler(async (event) => {
  setResponseHeader(event, 'Cache-Control', 'no-store')
  const { status, health } = await readRecentHealth(openedEngine())
  setResponseStatus(event, status)
  return health
})
