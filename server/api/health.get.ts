import { defineEventHandler, setResponseHeader, setResponseStatus } from 'h3'
import { openedDatabase } from '../layer.ts'
import { readHealth } from '../ops/health.ts'

/** For everybody: it tells nothing of a tenant, no path and no secret. */
export default defineEventHandler(async (event) => {
  setResponseHeader(event, 'Cache-Control', 'no-store')
  const { status, health } = await readHealth(openedDatabase())
  setResponseStatus(event, status)
  return health
})
