import type { PushBatch } from '../../../shared/protocol.ts'
import { defineSyncHandler } from '../../http/sync-handler.ts'

/** Applies a batch of ops; one receipt per op. */
export default defineSyncHandler('push', 'workspace.write', (engine, caller, batch: PushBatch) => engine.push(caller, batch))
