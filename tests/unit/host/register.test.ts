import { expect, it } from 'vitest'
import { type HostRegistries, registerWithHost } from '../../../server/host/register.ts'
import type { ApproveAuthorization, ConnectStoreRegistration } from '../../../server/host/connect/types.ts'
import type { WebhookStoreRegistration } from '../../../server/host/webhooks/types.ts'
import { readHostSettings } from '../../../server/host/selection.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import type { SyncEngine } from '../../../server/sync/engine.ts'
import { engineOf } from '../../helpers/engine.ts'

it('registers all that a host takes, at once and before the database is open', async () => {
  const taken = new Map<string, unknown[]>()
  const take = (name: string) => (...args: unknown[]) => void taken.set(name, args)
  const opening = Promise.withResolvers<SyncEngine>()
  const registries: HostRegistries = {
    registerAdminStoreProvider: provider => take('stores')(provider),
    registerProviderAdminAdapter: adapter => take('status')(adapter),
    registerDeploymentAdminChecker: (id: string, create: () => unknown) => take('checker')(id, create),
    registerRateLimitProvider: (id, provider) => take('limits')(id, provider),
    registerBackgroundJobProvider: (id, provider) => take('jobs')(id, provider),
    registerWebhookStore: registration => take('webhooks')(registration),
    registerConnectStore: registration => take('connect')(registration),
  }
  const settings = readHostSettings({ auth: { provider: 'clerk' }, backgroundJobs: { enabled: true, maxConcurrentJobs: 1, jobTimeoutMs: 5 } })
  registerWithHost(registries, () => opening.promise, settings)
  expect([...taken.keys()].sort()).toEqual(['checker', 'connect', 'jobs', 'limits', 'status', 'stores', 'webhooks'])
  expect([taken.get('checker')![0], taken.get('limits')![0], taken.get('jobs')![0]]).toEqual(['sqlite', 'sqlite', 'sqlite'])

  const [webhooks] = taken.get('webhooks') as [WebhookStoreRegistration]
  const [connect] = taken.get('connect') as [ConnectStoreRegistration]
  expect([webhooks.id, connect.id]).toEqual(['sqlite', 'sqlite'])
  const waiting = webhooks.create().getWebhook('none')
  const approval = { authorizationId: 'none', userId: 'u', workspaceId: 'w', now: 1 } as ApproveAuthorization
  const refused = expect(connect.create().approveAuthorization(approval), 'the host knows it by its name and code').rejects
    .toMatchObject({ name: 'ConnectStoreError', code: 'authorization_unavailable' })

  opening.resolve(engineOf(await openTestDatabase()))
  expect(await waiting).toBeNull()
  await refused
  const [, jobs] = taken.get('jobs') as Parameters<NonNullable<HostRegistries['registerBackgroundJobProvider']>>
  const job = { userId: 'u', threadId: 't', messageId: 'm', model: 'x' }
  const id = await jobs.createJob(job)
  await expect(jobs.completeJob(id, 'done', 'a worker that has no lease'), 'the host knows it by its name').rejects.toMatchObject({ name: 'BackgroundJobLeaseLostError' })
  await expect(jobs.createJob(job)).rejects.toMatchObject({ statusCode: 429 })
  const [, limits] = taken.get('limits') as Parameters<NonNullable<HostRegistries['registerRateLimitProvider']>>
  expect(await limits.checkAndRecord('k', { windowMs: 1_000, maxRequests: 1 })).toEqual({ allowed: true, remaining: 0 })
})

it('asks nothing of a host that has none of it, and gives a checker as one object where that is taken', () => {
  const database = () => Promise.reject(new Error('not open'))
  const settings = readHostSettings({})
  registerWithHost({}, database, settings)
  const taken: unknown[] = []
  registerWithHost({ registerDeploymentAdminChecker: (registration: object) => void taken.push(registration) }, database, settings)
  expect(taken).toEqual([{ id: 'sqlite', create: expect.any(Function) }])
})
