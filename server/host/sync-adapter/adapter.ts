/** The `SyncGatewayAdapter` named `sqlite`: each method waits for the database and hands over to the engine. */
import type { H3Event } from 'h3'
import type { SyncDatabase } from '../../database/types.ts'
import { assertScope, type Caller, type UserCaller } from '../../sync/caller.ts'
import type { SyncEngine } from '../../sync/engine.ts'
import type { MaintenanceLog } from '../../sync/retention/maintenance-log.ts'
import { answerHost } from '../errors.ts'
import { createSystemHooks, type EmitSystemHook } from '../webhooks/system-hooks.ts'
import { queryCanonicalStorage } from '../uploads/canonical-storage.ts'
import { cancelUploadIntent, consumeUploadIntent, reserveUploadIntent } from '../uploads/intents.ts'
import { readCaller, readUserCaller } from './caller.ts'
import type { SyncGatewayAdapter } from './types.ts'

/** The id under which hosts look for the adapter and the store. */
export const providerId = 'sqlite'

interface Scoped { scope: { workspaceId: string } }

/** A host hands over what a client sent: it may have another shape. */
const workspaceOf = (input: Partial<Scoped> | null | undefined): unknown => input?.scope?.workspaceId

export interface SyncGatewayAdapterOptions {
  /** Of a host that has webhooks: called for each applied op, after its commit. */
  emitSystemHook?: EmitSystemHook | undefined
}

/** Makes the adapter. `open` gives the engine once its database is migrated; its rejection answers every call. */
export function createSyncGatewayAdapter(open: () => Promise<SyncEngine>, { emitSystemHook }: SyncGatewayAdapterOptions = {}) {
  let maintenance: MaintenanceLog | undefined
  const engine = async () => {
    const opened = await open()
    maintenance ??= opened.maintenance
    return opened
  }
  /** At once where the engine is known, else behind it; the caller does not wait, so nothing may be thrown. */
  const withMaintenance = (use: (log: MaintenanceLog) => unknown) => {
    if (maintenance) use(maintenance)
    else engine().then(opened => use(opened.maintenance), () => {})
  }

  const serve = <I, T>(run: (engine: SyncEngine, event: H3Event, input: I) => Promise<T>) => (event: H3Event, input: I): Promise<T> =>
    answerHost('The sync adapter', async () => run(await engine(), event, input))
  const forUser = <I extends Scoped, T>(run: (engine: SyncEngine, caller: UserCaller, input: I) => Promise<T>) =>
    serve((opened, event, input: I) => run(opened, readUserCaller(event), input))
  const forJobs = <I extends Scoped, T>(run: (engine: SyncEngine, caller: Caller, input: I) => Promise<T>) =>
    serve((opened, event, input: I) => run(opened, readCaller(event, workspaceOf(input)), input))
  /** Whose file it is, the host knows: here only the session's workspace is checked. */
  const forUploads = <I extends { workspaceId: string }, T>(run: (database: SyncDatabase, input: I) => Promise<T>) =>
    serve(async ({ database }, event, input: I) => {
      assertScope(readCaller(event, input?.workspaceId), input)
      return run(database, input)
    })
  const emitHooks = emitSystemHook && createSystemHooks(emitSystemHook)

  return {
    id: providerId,
    capabilities: { snapshotBootstrap: 'snapshot-v1', historyRetention: 'snapshot-v1' },
    push: forUser(async (opened, caller, batch) => {
      const result = await opened.push(caller, batch)
      await emitHooks?.(opened.database, caller, batch, result)
      return result
    }),
    pull: forUser((opened, caller, request) => opened.pull(caller, request)),
    snapshot: forUser((opened, caller, request) => opened.snapshot(caller, request)),
    updateCursor: forUser((opened, caller, request) => opened.updateCursor(caller, request)),
    gcChangeLog: forJobs((opened, caller, request) => opened.gcChangeLog(caller, request)),
    gcTombstones: forJobs((opened, caller, request) => opened.gcTombstones(caller, request)),
    listWorkspaceIds: () => answerHost('The sync adapter', async () => (await engine()).listWorkspaceIds()),
    getMaintenanceState: () => maintenance?.read() ?? { enabled: true, state: 'idle' },
    beginMaintenanceRun: () => withMaintenance(log => log.begin()),
    completeMaintenanceRun: ({ lastRun }) => withMaintenance(log => log.complete(lastRun)),
    failMaintenanceRun: error => withMaintenance(log => log.fail(error)),
    reserveUploadIntent: forUploads(reserveUploadIntent),
    consumeUploadIntent: forUploads(consumeUploadIntent),
    cancelUploadIntent: forUploads(cancelUploadIntent),
    queryCanonicalStorage: forJobs(({ database }, caller, request) => queryCanonicalStorage(database, caller, request)),
  } satisfies SyncGatewayAdapter
}
