import { setResponseHeader } from 'h3'
import type { PullRequest, PullResponse } from '../../../shared/protocol.ts'
import { defineSyncHandler } from '../../http/sync-handler.ts'
import { refuseUnknownTables } from '../../sync/tables.ts'

/**
 * The answer is JSON text already: no payload is parsed on its way out. `$fetch` reads its type here, and parses it.
 */
export default defineSyncHandler('pull', 'workspace.read', (engine, caller, request: PullRequest, event) => {
  refuseUnknownTables(request.tables)
  setResponseHeader(event, 'Content-Type', 'application/json')
  return engine.pullText(caller, request) as Promise<unknown> as Promise<PullResponse>
})
