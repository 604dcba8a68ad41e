import { setResponseHeader } from 'h3'
import { defineSyncHandler } from '../../sync/endpoint.ts'
import type { PullResponse } from '../../sync/gateway/types.ts'
import { pullText } from '../../sync/pull.ts'

/** The answer is JSON text already: no payload is parsed on its way out. `$fetch` reads its type here, and parses it. */
export default defineSyncHandler('pull', 'workspace.read', (database, event, body) => {
  setResponseHeader(event, 'Content-Type', 'application/json')
  return pullText(database, event, body) as Promise<unknown> as Promise<PullResponse>
})
