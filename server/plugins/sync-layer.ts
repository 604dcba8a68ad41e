/**
 * The start. Nitro does not await plugins and a host checks the registries right after them, so the store and the
 * adapter are registered synchronously. Then the database is opened behind one promise, for which every request waits.
 * Nothing is opened while prerendering, nor where the host has auth off or another provider selected.
 */
import process from 'node:process'
import { registerAuthWorkspaceStore } from '#or3-sqlite/auth-registry'
import hostRegistries from '#or3-sqlite/host'
import * as migrations from '#or3-sqlite/migrations'
import { registerSyncGatewayAdapter } from '#or3-sqlite/sync-registry'
import { consola } from 'consola'
import { defineNitroPlugin, useRuntimeConfig } from 'nitropack/runtime'
import { selectAuthProvider } from '../auth/provider.ts'
import { warnWithoutProvider } from '../auth/session.ts'
import { createAuthWorkspaceStore } from '../host/auth-store.ts'
import { readDatabaseTarget } from '../config/database.ts'
import { findUnknownVariables } from '../config/known-settings.ts'
import { registerWithHost } from '../host/register.ts'
import { layerStarted, startLayer, stopLayer, useSyncDatabase, useSyncEngine } from '../layer.ts'
import { createSyncGatewayAdapter, providerId } from '../host/sync-adapter/adapter.ts'
import { readKeep } from '../operations/backup.ts'
import { guardApp } from '../http/admission.ts'
import { createPageReader } from '../http/page-reader.ts'
import { rememberRoutePath, pathOf } from '../http/requests.ts'
import { surviveLogErrors } from '../lib/log-budget.ts'
import { configureOps } from '../config/operations.ts'
import { statementWatch, watchRequests } from '../operations/watch.ts'
import { assertNodeVersion } from '../lib/node-version.ts'
import { namedAfterOwner } from '../workspaces/default-name.ts'
import { registerAuthWorkspaceStore as registerWithLayer } from '../workspaces/store/registry.ts'
import { isSelected, readHostSettings } from '../host/selection.ts'
import { configureSync } from '../config/sync.ts'

/** A host brings registries of its own. */
const isHosted = registerAuthWorkspaceStore !== registerWithLayer

export default defineNitroPlugin((nitroApp) => {
  const config = useRuntimeConfig()
  if (!isSelected(config)) return
  const workspaceName = isHosted ? undefined : config.or3Sqlite.workspaceName || namedAfterOwner
  registerAuthWorkspaceStore({
    id: providerId, create: () => createAuthWorkspaceStore(useSyncDatabase, { workspaceName }),
  })
  const { emitWebhookSystemHook: emitSystemHook } = hostRegistries
  registerSyncGatewayAdapter({
    id: providerId, create: () => createSyncGatewayAdapter(useSyncEngine, { emitSystemHook }),
  })
  registerWithHost(hostRegistries, useSyncEngine, readHostSettings(config))
  if (import.meta.prerender) return

  surviveLogErrors([process.stdout, process.stderr])
  guardApp(nitroApp.h3App)

  if (import.meta.dev) closeForNewerWorker()
  nitroApp.hooks.hook('request', event => rememberRoutePath(event, config.app.baseURL))
  selectAuthProvider(config.or3Sqlite.authProvider)
  const configure = () => {
    assertNodeVersion(process.version)
    for (const sentence of findUnknownVariables(process.env, config.or3Sqlite)) {
      consola.withTag('or3-sync').warn(sentence)
    }
    configureSync(config.or3Sqlite.limits)
    configureOps(process.env, config.or3Sqlite)
    // A wrong setting is refused now, not at the first backup.
    readKeep()
    watchRequests(nitroApp.hooks)
    return readDatabaseTarget(process.env, config.or3Sqlite)
  }
  startLayer(configure, migrations, (sentence) => {
    consola.withTag('or3-sync').error(sentence)
    if (!import.meta.dev) process.exit(1)
  }, statementWatch)
  // After the start the app's own plugins have run.
  void layerStarted().then(warnWithoutProvider)
  // The health route does not wait: it says that the server is still starting.
  nitroApp.hooks.hook('request', event => pathOf(event) === '/api/health' ? undefined : layerStarted())
  nitroApp.hooks.hook('request', (event) => {
    event.context['or3SyncPage'] = createPageReader(event)
  })
  nitroApp.hooks.hook('close', stopLayer)
  void useSyncEngine().then(engine => engine.onApplied(ops => nitroApp.hooks.callHook('sync:applied', ops)), () => {})
})

/** A dev reload can leave an old worker behind that holds the database. It closes when a newer one starts. */
function closeForNewerWorker() {
  const workers = new BroadcastChannel('or3-layer-sqlite')
  workers.postMessage('started')
  workers.onmessage = () => void stopLayer()
  ;(workers as unknown as { unref(): void }).unref()
}
