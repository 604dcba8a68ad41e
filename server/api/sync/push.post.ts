import { setResponseHeader } from 'h3'
import type { PushResult } from '../../../shared/protocol.ts'
import { defineSyncHandler } from '../../http/sync-handler.ts'
import { notePushResults } from '../../operations/push-results.ts'
import type { LazyPushBatch } from '../../sync/push/push.ts'

/** Applies a batch of ops; one receipt per op. The answer is JSON text already. */
export default defineSyncHandler('push', 'workspace.write', async (engine, caller, batch: LazyPushBatch, event) => {
  const { text, results } = await engine.pushText(caller, batch)
  notePushResults(event, results)
  setResponseHeader(event, 'Content-Type', 'application/json')
  return text as unknown as PushResult
})
