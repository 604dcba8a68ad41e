import type { UpdateCursorRequest } from '../../../shared/protocol.ts'
import { defineSyncHandler } from '../../http/sync-handler.ts'

/** A device reports how far it has pulled. */
export default defineSyncHandler('update-cursor', 'workspace.read', async (
  engine,
  caller,
  request: UpdateCursorRequest,
) => {
  await engine.updateCursor(caller, request)
  return { ok: true }
})
