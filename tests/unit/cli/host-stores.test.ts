/**
 * Webhooks and Connect records of the old database come along, and serve on from where they stood.
 * Seen red: each table left out; a ciphertext or a claim kept where none may be; the readable codes of revision 9 taken
 * along.
 */
import { expect, it } from 'vitest'
import { createConnectStore } from '../../../server/host/connect/store.ts'
import { createWebhookStore } from '../../../server/host/webhooks/store.ts'
import { addOldUser, insert } from '../../fixtures/incumbent/old-database.ts'
import { addWebhookTables } from '../../fixtures/incumbent/old-stores.ts'
import { makeOldFile, move } from './moved.ts'

const now = 1_800_000_000_000
const scope = { userId: 'ada', workspaceId: 'w1' }

const webhook = {
  id: 'hook', scope: 'admin', user_id: null, workspace_id: null, url: 'https://example.test', label: 'é',
  events: '["thread.created"]',
  custom_hooks: '["b:after","a:after","b:after"]', signing_secret_enc: 'cipher', enabled: 1, health: 'healthy',
  created_at: now, updated_at: now + 1,
}
const delivery = {
  id: 'd1', webhook_id: 'hook', event_id: 'e', event_type: 'thread.created', attempt: 2, status: 'pending',
  claimed_by: null, claimed_at: null,
  http_status: 500, error_message: 'no', request_payload: '{"a":1}', response_body: 'body', duration_ms: 7,
  next_retry_at: now + 5, created_at: now,
}

it('brings webhooks and deliveries along, which go on where they stood', async () => {
  const old = await makeOldFile()
  addOldUser(old.database, { user: 'ada', workspace: 'w1' })
  addWebhookTables(old.database)
  insert(old.database, 'webhook_registrations', webhook)
  insert(old.database, 'webhook_registrations', {
    ...webhook, id: 'own', scope: 'user', user_id: 'ada', workspace_id: 'w1', enabled: 0, events: 'broken',
    health: 'odd',
  })
  insert(old.database, 'webhook_registrations', { ...webhook, id: 'bad', scope: 'nobody' })
  insert(old.database, 'webhook_custom_hooks', { webhook_id: 'hook', hook_name: 'stale:after' })
  insert(old.database, 'webhook_delivery_logs', delivery)
  insert(old.database, 'webhook_delivery_logs', {
    ...delivery, id: 'd2', status: 'in_flight', claimed_by: 'old worker', claimed_at: null, next_retry_at: null,
    created_at: now + 1,
  })
  insert(old.database, 'webhook_delivery_logs', {
    ...delivery, id: 'd5', status: 'failed', claimed_by: 'old worker', claimed_at: 3, created_at: now + 2,
  })
  insert(old.database, 'webhook_delivery_logs', { ...delivery, id: 'd3', webhook_id: 'bad' })
  insert(old.database, 'webhook_delivery_logs', { ...delivery, id: 'd4', status: 'odd' })

  const { report, moved } = await move(old)
  expect(report.tables.filter(({ name }) => name.startsWith('webhook'))).toEqual([
    { name: 'webhook_registrations', read: 3, written: 2 }, { name: 'webhook_delivery_logs', read: 5, written: 3 },
  ])
  expect(report.leftBehind).toEqual([])
  const store = createWebhookStore(async () => moved, { now: () => now + 10 })
  expect(await store.getWebhook('hook')).toEqual({
    ...webhook, events: ['thread.created'], custom_hooks: ['b:after', 'a:after', 'b:after'], enabled: true,
  })
  expect(await store.listWebhooks('ada', 'w1')).toMatchObject([{
    id: 'own', enabled: false, events: [], health: 'unknown',
  }])
  expect(await store.listActiveCustomHookNames()).toEqual(['a:after', 'b:after'])
  const deliveries = await store.getDeliveryLogs('hook', 0)
  expect(deliveries.at(-1)).toEqual(delivery)
  expect(deliveries[0]).toMatchObject({ id: 'd5', status: 'failed', claimed_by: null, claimed_at: null })
  expect(await store.claimPendingDeliveries('w', 9)).toMatchObject([{ id: 'd1', attempt: 2 }])
  expect(await store.resetStaleInFlightDeliveries(60_000), 'what no worker of the old server ends').toBe(1)
})

const authorization = {
  id: 'a1', device_code_hash: 'device', user_code_hash: 'user', status: 'approved',
  host_json: '{"name":"Laptop","more":[1]}', approved_user_id: 'ada',
  approved_workspace_id: 'w1', environment_id: 'e1', credential_ciphertext: 'credential', expires_at: now + 60_000,
  created_at: now, updated_at: now,
}
const environment = {
  id: 'e1', user_id: 'ada', workspace_id: 'w1', name: 'Laptop', platform: 'linux', architecture: 'arm64',
  hostname: 'h.example.test', tunnel_id: 't',
  dns_record_id: 'd', control_token_hash: 'control', access_credential_ciphertext: 'access', status: 'active',
  created_at: now, updated_at: now,
}

it.each([10, 12, 13, 14, 16, 17])('brings Connect records of revision %i along, which go on', async (revision) => {
  const old = await makeOldFile(revision)
  insert(old.database, 'connect_device_authorizations', authorization)
  insert(old.database, 'connect_device_authorizations', {
    ...authorization, id: 'a2', device_code_hash: 'other', status: 'consumed', credential_ciphertext: 'stray',
  })
  insert(old.database, 'connect_device_authorizations', {
    ...authorization, id: 'a3', device_code_hash: 'third', host_json: '[]',
  })
  insert(old.database, 'connect_environments', environment)
  insert(old.database, 'connect_environments', {
    ...environment, id: 'e2', control_token_hash: 'gone', status: 'revoked', access_credential_ciphertext: 'stray',
  })
  insert(old.database, 'connect_environments', { ...environment, id: 'e3', control_token_hash: 'odd', status: 'odd' })
  const { report, moved } = await move(old)
  expect(report.tables.filter(({ name }) => name.startsWith('connect'))).toEqual([
    { name: 'connect_device_authorizations', read: 3, written: 2 },
    { name: 'connect_environments', read: 3, written: 2 },
  ])
  expect(report.leftBehind).toEqual([])
  const store = createConnectStore(async () => moved)
  const { created_at, updated_at, ...known } = environment
  expect(await store.listEnvironments(scope)).toEqual([{
    ...known, lifecycle_attempts: 0, lifecycle_next_attempt_at: 0,
  }])
  expect(await store.getEnvironmentByControlTokenHash('gone', scope)).toMatchObject({
    status: 'revoked', access_credential_ciphertext: '',
  })
  expect(await store.getAuthorizationByDeviceHash('device', now, 60_000)).toEqual({
    _id: 'a1', status: 'approved', host: { name: 'Laptop', more: [1] }, approved_user_id: 'ada',
    approved_workspace_id: 'w1', environment_id: 'e1',
    credential_ciphertext: 'credential', expires_at: now + 60_000,
  })
  expect((await store.getAuthorizationByDeviceHash('other', now, 60_000))!.credential_ciphertext).toBeUndefined()
})

it('keeps the lifecycle of an environment, with its claim and its deadlines', async () => {
  const old = await makeOldFile()
  const lifecycle = {
    authorization_id: 'a1', tunnel_secret_ciphertext: 'secret', lifecycle_attempts: 3,
    lifecycle_next_attempt_at: now + 5, lifecycle_claim_token: 'w',
    lifecycle_claimed_until: now + 9, provisioning_deadline_at: now + 11, activation_deadline_at: now + 12,
    relay_authenticator: 'cookie',
    lifecycle_error: 'no relay', driver: 'runs', runtime: 'hermes', base_path: '/or3/', host_id: 'h',
    signing_public_key: 's', noise_public_key: 'n',
  }
  insert(old.database, 'connect_environments', { ...environment, ...lifecycle, status: 'provisioning' })
  insert(old.database, 'connect_environments', {
    ...environment, id: 'e2', control_token_hash: 'ending', tunnel_secret_ciphertext: 'stray', status: 'revoking',
  })
  const { moved } = await move(old)
  const store = createConnectStore(async () => moved)
  expect(
    await store.getEnvironmentByControlTokenHash('control', scope),
  ).toMatchObject({ ...lifecycle, status: 'provisioning' })
  const ending = await store.getEnvironmentByControlTokenHash('ending', scope)
  expect([ending!.status, ending!.tunnel_secret_ciphertext]).toEqual(['revoking', undefined])
  expect(await store.claimNextEnvironmentLifecycle('x', now + 8, now + 20)).toMatchObject({ id: 'e2' })
  expect(await store.claimNextEnvironmentLifecycle('x', now + 8, now + 20)).toBeNull()
  expect(await store.claimNextEnvironmentLifecycle('x', now + 9, now + 20)).toMatchObject({ id: 'e1' })
})

it('leaves the requests of revision 9 behind, whose codes could be read, and counts them', async () => {
  const old = await makeOldFile(9)
  insert(old.database, 'connect_device_authorizations', { ...authorization, user_code_display: 'BRAVE-RIVER-123' })
  insert(old.database, 'connect_environments', environment)
  const { report, moved } = await move(old)
  expect(report.tables.filter(({ name }) => name.startsWith('connect'))).toEqual([
    { name: 'connect_device_authorizations', read: 1, written: 0 },
    { name: 'connect_environments', read: 1, written: 1 },
  ])
  expect(await createConnectStore(async () => moved).listEnvironments(scope)).toHaveLength(1)
})
