/** The `SyncGatewayAdapter` named `sqlite`: each method waits for the database and hands over to its room. */
import type { H3Event } from 'h3'
import type { SyncDatabase } from '../../db/open.ts'
import { createSystemHooks, type EmitSystemHook } from '../../host/webhooks/system-hooks.ts'
import { queryCanonicalStorage } from '../../uploads/canonical-storage.ts'
import { cancelUploadIntent, consumeUploadIntent, reserveUploadIntent } from '../../uploads/intents.ts'
import { withoutDriverText } from '../../without-driver-text.ts'
import { updateCursor } from '../cursors.ts'
import { listWorkspaceIds, type MaintenanceLog, maintenanceOf } from '../maintenance.ts'
import { pull } from '../pull.ts'
import { push } from '../push/push.ts'
import { gcChangeLog, gcTombstones } from '../retention.ts'
import { snapshot } from '../snapshot.ts'
import type { PushBatch, SyncGatewayAdapter } from './types.ts'

/** The id under which hosts look for the adapter and the store. */
export const providerId = 'sqlite'

export interface SyncGatewayAdapterOptions {
  /** Of a host that has webhooks: called for each applied op, after its commit. */
  emitSystemHook?: EmitSystemHook | undefined
}

/** `open` gives the database once it is migrated; its rejection answers every call. */
export function createSyncGatewayAdapter(open: () => Promise<SyncDatabase>, { emitSystemHook }: SyncGatewayAdapterOptions = {}) {
  let maintenance: MaintenanceLog | undefined
  const database = async () => {
    const opened = await open()
    maintenance ??= maintenanceOf(opened)
    return opened
  }
  /** At once where the database is known, else behind it; the caller does not wait, so nothing may be thrown. */
  const withMaintenance = (use: (log: MaintenanceLog) => unknown) => {
    if (maintenance) use(maintenance)
    else database().then(opened => use(maintenanceOf(opened)), () => {})
  }

  const serve = <I, T>(room: (database: SyncDatabase, event: H3Event, input: I) => Promise<T>) => (event: H3Event, input: I): Promise<T> =>
    withoutDriverText('The sync adapter', async () => room(await database(), event, input))

  const emitHooks = emitSystemHook && createSystemHooks(emitSystemHook)
  const pushAndTell = async (opened: SyncDatabase, event: H3Event, batch: PushBatch) => {
    const result = await push(opened, event, batch)
    await emitHooks?.(opened, event, batch, result)
    return result
  }

  return {
    id: providerId,
    capabilities: { snapshotBootstrap: 'snapshot-v1', historyRetention: 'snapshot-v1' },
    push: serve(pushAndTell),
    pull: serve(pull),
    snapshot: serve(snapshot),
    updateCursor: serve(updateCursor),
    gcChangeLog: serve(gcChangeLog),
    gcTombstones: serve(gcTombstones),
    listWorkspaceIds: () => withoutDriverText('The sync adapter', async () => listWorkspaceIds(await database())),
    getMaintenanceState: () => maintenance?.read() ?? { enabled: true, state: 'idle' },
    beginMaintenanceRun: () => withMaintenance(log => log.begin()),
    completeMaintenanceRun: ({ lastRun }) => withMaintenance(log => log.complete(lastRun)),
    failMaintenanceRun: error => withMaintenance(log => log.fail(error)),
    reserveUploadIntent: serve(reserveUploadIntent),
    consumeUploadIntent: serve(consumeUploadIntent),
    cancelUploadIntent: serve(cancelUploadIntent),
    queryCanonicalStorage: serve(queryCanonicalStorage),
  } satisfies SyncGatewayAdapter
}
