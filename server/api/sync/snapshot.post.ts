import { setResponseHeader } from 'h3'
import type { SnapshotRequest, SnapshotResponse } from '../../../shared/protocol.ts'
import { defineSyncHandler } from '../../http/sync-handler.ts'
import { refuseUnknownTables } from '../../sync/tables.ts'

/** JSON text, as a pull's answer is. */
export default defineSyncHandler('snapshot', 'workspace.read', (engine, caller, request: SnapshotRequest, event) => {
  refuseUnknownTables(request.tables)
  setResponseHeader(event, 'Content-Type', 'application/json')
  return engine.snapshotText(caller, request) as Promise<unknown> as Promise<SnapshotResponse>
})
