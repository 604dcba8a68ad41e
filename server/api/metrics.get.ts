import { defineEventHandler, setResponseHeader } from 'h3'
import { fail } from '../errors.ts'
import { useMetrics } from '../ops/watch.ts'

export default defineEventHandler(async (event) => {
  const metrics = await useMetrics()
  if (!metrics) throw fail('NOT_FOUND', 'Metrics are not enabled here: see OR3_SQLITE_METRICS')
  setResponseHeader(event, 'Content-Type', metrics.contentType)
  return metrics.read()
})
