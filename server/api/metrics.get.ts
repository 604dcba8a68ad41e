import { setResponseHeader } from 'h3'
import { defineHandler } from '../http/errors.ts'
import { createSyncError } from '../errors.ts'
import { useMetrics } from '../operations/watch.ts'

export default defineHandler(async (event) => {
  const metrics = await useMetrics()
  if (!metrics) throw createSyncError('NOT_FOUND', 'Metrics are not enabled here: see OR3_SQLITE_METRICS')
  setResponseHeader(event, 'Content-Type', metrics.contentType)
  return metrics.read()
})
