/**
 * What is registered with a host fails without the driver's words, whatever happens below: a host answers the text of an
 * error that is no h3 error. Seen red: "Failed query: select …" with its values.
 */
import { sql } from 'drizzle-orm'
import { isError } from 'h3'
import { expect, it, vi } from 'vitest'
import { type HostRegistries, registerWithHost } from '../../../server/host/register.ts'
import { readHostSettings } from '../../../server/host/selection.ts'
import { openTestDatabase, type TestDatabase } from '../../helpers/database.ts'
import { event } from '../../helpers/sync.ts'
import { driverText } from '../../helpers/http-server.ts'
import type { SyncEngine } from '../../../server/sync/engine.ts'
import { engineOf } from '../../helpers/engine.ts'

/** What stands in the log is another matter. */
await vi.hoisted(async () => {
  const { consola } = await import('consola')
  consola.mockTypes(() => () => {})
})

const ids = { userId: 'u', workspaceId: 'w', threadId: 't', messageId: 'm', ownerUserId: 'u', emailOrProviderId: 'secret@example.org' }
const record = { ...ids, model: 'x', name: 'W', role: 'owner', deletedAt: 1, query: 'secret', page: 1, perPage: 10 }
/** Of the methods that take more than one object. */
const argumentsOf: Record<string, unknown[]> = {
  get: ['w', 'secret'], set: ['w', 'secret', 'v'],
  checkDeploymentAdmin: ['secret', 'p'],
  checkAndRecord: ['secret', { windowMs: 1, maxRequests: 1 }], getStats: ['secret', { windowMs: 1, maxRequests: 1 }],
  claimPendingDeliveries: ['secret', 5], getAuthorizationByDeviceHash: ['secret', 1, 1],
  purgeConnectRecords: [{ authorizationUpdatedBefore: 1, revokedEnvironmentUpdatedBefore: 1, batchSize: 1 }],
  beginEnvironmentRevocation: [{ environmentId: 'secret', scope: ids, claimToken: 't', claimUntil: 1, now: 1 }],
  listEnvironments: [ids], getEnvironmentByControlTokenHash: ['secret', ids], revokeEnvironment: ['secret', ids, 1],
  saveEnvironmentRelayProgress: ['secret', 'revoking', 't', { hostname: 'secret' }, 1],
  recordEnvironmentLifecycleFailure: ['secret', 'revoking', 't', 'secret', 1, 1],
  createDeliveryLog: [{ ...record, webhook_id: 'secret', request_payload: 'secret' }], updateDeliveryLog: ['secret', { attempt: 2 }],
  updateWebhook: ['secret', { label: 'secret' }], claimNextEnvironmentLifecycle: ['secret', 1, 2],
  runAction: [event, 'sync.gc-change-log', { workspaceId: 'w' }, { session: {} }],
}
const ofJobs = ['secret', 'u', 'x', 1, {}, {}]

it.each(['loses its tables', 'is not open'])('where the database %s', async (how) => {
  const database = await openTestDatabase()
  if (how === 'loses its tables') await loseTables(database)
  const open = () => how === 'is not open' ? Promise.reject(new Error('SQLITE_CANTOPEN: select')) : Promise.resolve(engineOf(database))
  let refused = 0
  for (const [room, methods] of Object.entries(registeredWith(open))) {
    for (const [name, method] of Object.entries(methods).filter(([name]) => name !== 'id' && name !== 'kind' && name !== 'name')) {
      const args = argumentsOf[name] ?? (room === 'jobs' && name !== 'createJob' ? ofJobs : [record])
      const error = await new Promise(resolve => resolve(method(...args))).catch((thrown: unknown) => thrown)
      if (!(error instanceof Error)) continue
      expect([room, name, isError(error), error.message]).toEqual([room, name, true, expect.not.stringMatching(driverText)])
      refused++
    }
  }
  expect(refused).toBeGreaterThan(60)
})

type Methods = Record<string, (...args: unknown[]) => unknown>

function registeredWith(open: () => Promise<SyncEngine>) {
  const rooms: Record<string, object> = {}
  const registries: HostRegistries = {
    registerAdminStoreProvider(provider) {
      rooms['admins'] = provider.createAdminUserStore(event)
      rooms['access'] = provider.createWorkspaceAccessStore(event)
      rooms['settings'] = provider.createWorkspaceSettingsStore(event)
    },
    registerProviderAdminAdapter: adapter => rooms['page'] = adapter,
    registerDeploymentAdminChecker: (_id: string, create: () => object) => rooms['checker'] = create(),
    registerRateLimitProvider: (_id, provider) => rooms['limits'] = provider,
    registerBackgroundJobProvider: (_id, provider) => rooms['jobs'] = provider,
    registerWebhookStore: ({ create }) => rooms['webhooks'] = create(),
    registerConnectStore: ({ create }) => rooms['connect'] = create(),
  }
  registerWithHost(registries, open, readHostSettings({}))
  return rooms as Record<string, Methods>
}

async function loseTables(database: TestDatabase) {
  const tables = await database.read.all<{ name: string }>(sql`select name from sqlite_master where type = 'table' and name not like 'sqlite%'`)
  for (const { name } of tables) await database.write(tx => tx.run(sql`alter table ${sql.identifier(name)} rename to ${sql.identifier(`lost_${name}`)}`))
}
