/**
 * The `WebhookStore` on a real file: the contract, and what is ours beside it.
 * Seen red: see each test of `tests/contract/webhook-store.ts`; a condition of each query taken away.
 */
import { describe, expect, it } from 'vitest'
import { createWebhookStore } from '../../../server/host/webhooks/store.ts'
import { describeWebhookStore } from '../../contract/webhook-store.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import { recordStatements } from '../../helpers/query-plans.ts'

async function setUp() {
  const database = await openTestDatabase()
  const clock = { ms: 1_760_000_000_000 }
  return { database, clock, store: createWebhookStore(async () => database, { now: () => clock.ms }) }
}

describe('the webhook store', () => {
  describeWebhookStore(setUp)
})

const webhook = {
  scope: 'admin' as const, user_id: null, workspace_id: null, url: 'https://example.test', label: '',
  events: ['thread.created'],
  custom_hooks: ['a'], signing_secret_enc: 'x', enabled: true,
}

it('finds deliveries and webhooks by an index, whatever there is besides', async () => {
  const { database, clock } = await setUp()
  const recorded = recordStatements(database)
  const store = createWebhookStore(async () => recorded, { now: () => clock.ms })
  const { id } = await store.createWebhook(webhook)
  await recorded.takePlans()
  await store.claimPendingDeliveries('w', 25)
  await store.resetStaleInFlightDeliveries(1)
  await store.purgeExpiredLogs(1)
  await store.deleteDeliveryLogsByWebhook(id)
  await store.cancelDeliveriesByWebhook(id)
  await store.getDeliveryLogs(id, 0)
  await store.getRecentTerminalDeliveries(id, 3)
  await store.listWebhooks('u', 'w')
  await store.listWebhooksByEvent('thread.created', 'user', 'w')
  await store.listWebhooksByEvent('thread.created', 'admin', 'w')
  await store.listWebhooksByCustomHook('a')
  const plans = await recorded.takePlans()
  expect(plans.length).toBeGreaterThan(10)
  const scans = plans.flatMap(({ statement, steps }) => steps
    .filter(step => step.startsWith('SCAN ') && !step.includes('VIRTUAL TABLE') && !step.includes(
      'USING INDEX webhook_deliveries_pending',
    ))
    .map(step => `${step} in ${statement}`))
  expect(scans).toEqual([])
})

// Seen red for a delivery where the foreign key alone refused it.
it('answers NOT_FOUND for a webhook and a delivery that are not there', async () => {
  const { store } = await setUp()
  const delivery = {
    webhook_id: 'none', event_id: 'e', event_type: 'thread.created', attempt: 1, status: 'pending' as const,
    claimed_by: null, claimed_at: null, http_status: null, error_message: null, request_payload: '{}',
    response_body: null, duration_ms: null, next_retry_at: null, created_at: 1,
  }
  const notFound = { code: 'NOT_FOUND', message: expect.stringContaining('none') }
  await expect(store.createDeliveryLog(delivery)).rejects.toMatchObject(notFound)
  await expect(store.updateDeliveryLog('none', { attempt: 2 })).rejects.toMatchObject(notFound)
  await expect(store.updateWebhook('none', { label: 'x' })).rejects.toMatchObject(notFound)
})

it('waits for a database that is not open yet, and opens nothing by itself', async () => {
  const opening = Promise.withResolvers<Awaited<ReturnType<typeof openTestDatabase>>>()
  const store = createWebhookStore(() => opening.promise)
  const making = store.createWebhook(webhook)
  opening.resolve(await openTestDatabase())
  expect((await making).health).toBe('unknown')
})

it('keeps what it has answered through a restart', async () => {
  const { database, store } = await setUp()
  const made = await store.createWebhook(webhook)
  await database.close()
  const again = createWebhookStore(async () => reopened)
  const reopened = await openTestDatabase({ path: database.path })
  expect(await again.getWebhook(made.id)).toEqual(made)
  expect(await again.listActiveCustomHookNames()).toEqual(['a'])
})
