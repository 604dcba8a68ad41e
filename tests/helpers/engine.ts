/** The engine and the adapter of an open database: one each, as in a server. */
import type { H3Event } from 'h3'
import type { PullRequest } from '../../shared/protocol.ts'
import { createSyncGatewayAdapter } from '../../server/host/sync-adapter/adapter.ts'
import { readUserCaller } from '../../server/host/sync-adapter/caller.ts'
import type { SyncDatabase } from '../../server/database/types.ts'
import { createSyncEngine, type SyncEngine } from '../../server/sync/engine.ts'

const engines = new WeakMap<SyncDatabase, SyncEngine>()

export function engineOf(database: SyncDatabase): SyncEngine {
  const engine = engines.get(database) ?? createSyncEngine(database)
  engines.set(database, engine)
  return engine
}

export function adapterOf(database: SyncDatabase) {
  return createSyncGatewayAdapter(async () => engineOf(database))
}

/** A pull as HTTP answers it. */
export function pullTextOf(database: SyncDatabase, event: H3Event, request: PullRequest): Promise<string> {
  return engineOf(database).pullText(readUserCaller(event), request)
}
