/** The `SyncGatewayAdapter` named `sqlite`: each method waits for the database and calls the engine. */
import type { H3Event } from 'h3'
import type { SyncDatabase } from '../../database/types.ts'
import { assertScope, type Caller, type UserCaller } from '../../sync/caller.ts'
import type { SyncEngine } from '../../sync/engine.ts'
import { answerHost } from '../errors.ts'
import { listLivingWorkspaceIds } from '../../workspaces/living-workspaces.ts'
import { createSystemHooks, type EmitSystemHook } from '../webhooks/system-hooks.ts'
import { queryCanonicalStorage } from '../uploads/canonical-storage.ts'
import { cancelUploadIntent, consumeUploadIntent, reserveUploadIntent } from '../uploads/intents.ts'
import { readCaller, readUserCaller } from './caller.ts'
import { createMaintenanceMethods } from './maintenance.ts'
import type { SyncGatewayAdapter } from './types.ts'

/** The id under which hosts look for the adapter and the store. */
export const providerId = 'sqlite'

interface Scoped { scope: { workspaceId: string } }

/** A host passes on what a client sent, so the input may have any shape. */
const workspaceOf = (input: Partial<Scoped> | null | undefined): unknown => input?.scope?.workspaceId

export interface SyncGatewayAdapterOptions {
  /** Of a host that has webhooks: called for each applied op, after its commit. */
  emitSystemHook?: EmitSystemHook | undefined
}

/** Makes the adapter. `open` gives the engine once its database is migrated; its rejection answers every call. */
export function createSyncGatewayAdapter(
  open: () => Promise<SyncEngine>,
  { emitSystemHook }: SyncGatewayAdapterOptions = {},
) {
  const maintenance = createMaintenanceMethods(open)
  const engine = async () => {
    const opened = await open()
    maintenance.attach(opened)
    return opened
  }

  type Run<I, T> = (engine: SyncEngine, event: H3Event, input: I) => Promise<T>
  const serve = <I, T>(run: Run<I, T>) => (event: H3Event, input: I): Promise<T> =>
    answerHost('The sync adapter', async () => run(await engine(), event, input))
  const forUser = <I extends Scoped, T>(run: (engine: SyncEngine, caller: UserCaller, input: I) => Promise<T>) =>
    serve((opened, event, input: I) => run(opened, readUserCaller(event), input))
  const forJobs = <I extends Scoped, T>(run: (engine: SyncEngine, caller: Caller, input: I) => Promise<T>) =>
    serve((opened, event, input: I) => run(opened, readCaller(event, workspaceOf(input)), input))
  /** The host checks the rights on the file; only the session's workspace is checked here. */
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
    listWorkspaceIds: () =>
      answerHost('The sync adapter', async () => listLivingWorkspaceIds((await engine()).database)),
    ...maintenance.methods,
    reserveUploadIntent: forUploads(reserveUploadIntent),
    consumeUploadIntent: forUploads(consumeUploadIntent),
    cancelUploadIntent: forUploads(cancelUploadIntent),
    queryCanonicalStorage: forJobs(({ database }, caller, request) => queryCanonicalStorage(database, caller, request)),
  } satisfies SyncGatewayAdapter
}
