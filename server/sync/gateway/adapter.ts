/** The `SyncGatewayAdapter` named `sqlite`: each method waits for the database and hands over to its room. */
import type { SyncDatabase } from '../../db/open.ts'
import { updateCursor } from '../cursors.ts'
import { pull } from '../pull.ts'
import { push } from '../push/push.ts'
import { gcChangeLog, gcTombstones } from '../retention.ts'
import { snapshot } from '../snapshot.ts'
import type { SyncGatewayAdapter } from './types.ts'

/** The id under which hosts look for the adapter and the store. */
export const providerId = 'sqlite'

/** `database` resolves when it is open and migrated; its rejection answers every call. */
export function createSyncGatewayAdapter(database: () => Promise<SyncDatabase>) {
  return {
    id: providerId,
    capabilities: { snapshotBootstrap: 'snapshot-v1', historyRetention: 'snapshot-v1' },
    push: async (event, batch) => push(await database(), event, batch),
    pull: async (event, request) => pull(await database(), event, request),
    snapshot: async (event, request) => snapshot(await database(), event, request),
    updateCursor: async (event, request) => updateCursor(await database(), event, request),
    gcChangeLog: async (event, request) => gcChangeLog(await database(), event, request),
    gcTombstones: async (event, request) => gcTombstones(await database(), event, request),
  } satisfies SyncGatewayAdapter
}
