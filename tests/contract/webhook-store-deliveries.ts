/** The deliveries of a `WebhookStore`: part of `webhook-store.ts`. */
import { expect, it } from 'vitest'
import type { NewWebhook, WebhookDeliveryLog, WebhookStore } from '../../server/host/webhooks/types.ts'
import type { WebhookSetUp } from './webhook-store.ts'

type NewDelivery = Omit<WebhookDeliveryLog, 'id'>

/** Adds the tests to the suite around it. */
export function describeWebhookDeliveries(setUp: () => Promise<WebhookSetUp>, registration: NewWebhook): void {
  const start = async () => {
    const { store, clock } = await setUp()
    const { id: webhookId } = await store.createWebhook(registration)
    const add = (more: Partial<NewDelivery> = {}) => store.createDeliveryLog({
      webhook_id: webhookId, event_id: 'e', event_type: 'thread.created', attempt: 1, status: 'pending',
      claimed_by: null, claimed_at: null,
      http_status: null, error_message: null, request_payload: '{"a":1}', response_body: null, duration_ms: null,
      next_retry_at: null,
      created_at: clock.ms, ...more,
    })
    return { store, clock, webhookId, add }
  }
  const readOne = async (store: WebhookStore, { webhook_id, id }: WebhookDeliveryLog) =>
    (await store.getDeliveryLogs(webhook_id, 0)).find(delivery => delivery.id === id)!
  const ids = (list: { id: string }[]) => list.map(({ id }) => id)

  it('keeps a delivery as it was given, and lists those since a moment, newest first', async () => {
    const { store, clock, webhookId, add } = await start()
    const whole = await add({
      attempt: 3, status: 'failed', http_status: 500, error_message: 'no', response_body: 'é🌲', duration_ms: 12.5,
      next_retry_at: 9, request_payload: '"\\ud800"',
    })
    expect(await readOne(store, whole)).toEqual(whole)
    expect(whole).toMatchObject({
      attempt: 3, error_message: 'no', duration_ms: 12.5, next_retry_at: 9, claimed_by: null,
      request_payload: '"\\ud800"',
    })
    const later = await add({ created_at: clock.ms + 2 })
    const between = await add({ created_at: clock.ms + 1 })
    expect(ids(await store.getDeliveryLogs(webhookId, clock.ms + 1))).toEqual([later.id, between.id])
    const sameMoment = await add({ created_at: clock.ms + 2 })
    expect(ids(await store.getDeliveryLogs(webhookId, clock.ms + 2)), 'of one millisecond too')
      .toEqual([sameMoment.id, later.id])
    await expect(add({ webhook_id: 'no such webhook' })).rejects.toThrow('no such webhook')
  })

  it('clears with null what a patch names, keeps what it leaves out, and rejects an unknown id', async () => {
    const { store, add } = await start()
    const made = await add({ http_status: 500, error_message: 'no', next_retry_at: 5 })
    await store.updateDeliveryLog(made.id, { error_message: null, duration_ms: 7, next_retry_at: undefined })
    expect(await readOne(store, made)).toEqual({ ...made, error_message: null, duration_ms: 7 })
    await store.updateDeliveryLog(made.id, { attempt: 2, http_status: 0, response_body: '', next_retry_at: null })
    expect(await readOne(store, made)).toEqual({
      ...made, error_message: null, duration_ms: 7, attempt: 2, http_status: 0, response_body: '', next_retry_at: null,
    })
    await store.updateDeliveryLog(made.id, {})
    await expect(store.updateDeliveryLog('no such delivery', { attempt: 1 })).rejects.toThrow('no such delivery')
  })

  it('holds a claim for as long as a delivery is in flight', async () => {
    const { store, clock, add } = await start()
    const made = await add()
    const claim = { claimed_by: 'worker', claimed_at: clock.ms }
    await store.claimPendingDeliveries('worker', 1)
    await store.updateDeliveryLog(made.id, { http_status: 200 })
    expect(await readOne(store, made)).toMatchObject({ status: 'in_flight', ...claim })
    await store.updateDeliveryLog(made.id, { status: 'in_flight' })
    expect(await readOne(store, made)).toMatchObject(claim)
    await store.updateDeliveryLog(made.id, { status: 'success' })
    expect(await readOne(store, made)).toMatchObject({ status: 'success', claimed_by: null, claimed_at: null })
    const stray = await add({ status: 'failed', claimed_by: 'worker', claimed_at: 1 })
    await store.updateDeliveryLog(stray.id, { attempt: 2 })
    expect(await readOne(store, stray)).toMatchObject({ claimed_by: null, claimed_at: null })
  })

  it('claims what is due, the longest due first, no more than asked for', async () => {
    const { store, clock, add } = await start()
    const now = clock.ms
    const second = await add({ created_at: now - 20 })
    const third = await add({ created_at: now - 90, next_retry_at: now - 10 })
    const first = await add({ created_at: now - 30 })
    const tied = await add({ created_at: now - 95, next_retry_at: now - 10 })
    const last = await add({ next_retry_at: now, created_at: now - 99 })
    await add({ next_retry_at: now + 1, created_at: now - 99 })
    for (const status of ['in_flight', 'success', 'failed', 'cancelled'] as const) await add({ status, created_at: 0 })
    const unclear = await add({ created_at: now + 50 })
    expect(await store.claimPendingDeliveries('a', 0)).toEqual([])
    expect(await store.claimPendingDeliveries('a', 0.9)).toEqual([])
    expect(await store.claimPendingDeliveries('a', -1)).toEqual([])
    const claimed = await store.claimPendingDeliveries('a', 2.9)
    expect(claimed).toEqual([first, second].map(one => ({
      ...one, status: 'in_flight', claimed_by: 'a', claimed_at: now,
    })))
    expect(await readOne(store, first)).toEqual(claimed[0])
    expect(ids(await store.claimPendingDeliveries('b', 99))).toEqual([tied, third, last, unclear].map(({ id }) => id))
    expect(await store.claimPendingDeliveries('b', Infinity)).toEqual([])
  })

  it('gives no delivery to two claims, however many come at once', async () => {
    const { store, add } = await start()
    for (let index = 0; index < 40; index++) await add({ event_id: String(index) })
    const claims = await Promise.all(Array.from(
      { length: 20 }, (_, index) => store.claimPendingDeliveries(`worker ${index}`, 3),
    ))
    expect(claims.map(({ length }) => length).filter(length => length > 0).length).toBe(14)
    expect(new Set(claims.flat().map(({ id }) => id)).size).toBe(40)
    expect(claims.flat()).toHaveLength(40)
    for (
      const [index, claim] of claims.entries()
    ) expect(claim.every(({ claimed_by }) => claimed_by === `worker ${index}`)).toBe(true)
  })

  it('makes a delivery pending again whose worker has not been heard of', async () => {
    const { store, clock, add } = await start()
    const [old, young] = [await add(), await add()]
    await store.claimPendingDeliveries('worker', 1)
    clock.ms += 1_000
    await store.claimPendingDeliveries('worker', 1)
    clock.ms += 1
    expect([
      await store.resetStaleInFlightDeliveries(1_001), await store.resetStaleInFlightDeliveries(1_000.9),
    ]).toEqual([0, 1])
    expect(await readOne(store, old)).toEqual(old)
    expect(await readOne(store, young)).toMatchObject({ status: 'in_flight' })
    expect([await store.resetStaleInFlightDeliveries(-5), await store.resetStaleInFlightDeliveries(-5)]).toEqual([1, 0])
    await store.claimPendingDeliveries('worker', 1)
    expect(await store.resetStaleInFlightDeliveries(-5), 'claimed in this millisecond').toBe(0)
  })

  it('names the successful and failed deliveries, newest first, at least one', async () => {
    const { store, clock, webhookId, add } = await start()
    for (const status of ['pending', 'in_flight', 'cancelled'] as const) await add({ status, created_at: clock.ms + 9 })
    const failed = await add({ status: 'failed', created_at: clock.ms + 2 })
    const older = await add({ status: 'success', created_at: clock.ms })
    const success = await add({ status: 'success', created_at: clock.ms + 1 })
    const { id: other } = await store.createWebhook(registration)
    await add({ webhook_id: other, status: 'success', created_at: clock.ms + 9 })
    expect(ids(await store.getRecentTerminalDeliveries(webhookId, 2.9))).toEqual([failed.id, success.id])
    expect(ids(await store.getRecentTerminalDeliveries(webhookId, 0))).toEqual([failed.id])
    expect(ids(await store.getRecentTerminalDeliveries(webhookId, 99))).toEqual([failed.id, success.id, older.id])
  })

  it('cancels what is not over, and removes deliveries by webhook, by age and with their webhook', async () => {
    const { store, clock, webhookId, add } = await start()
    const { id: other } = await store.createWebhook(registration)
    const kept = await add({ webhook_id: other, created_at: 10 })
    await add({ next_retry_at: 5 })
    await store.claimPendingDeliveries('worker', 1)
    await add({ next_retry_at: clock.ms + 5 })
    const failed = await add({ status: 'failed', next_retry_at: 7 })
    expect([
      await store.cancelDeliveriesByWebhook(webhookId), await store.cancelDeliveriesByWebhook(webhookId),
    ]).toEqual([2, 0])
    const cancelled = (await store.getDeliveryLogs(webhookId, 0)).filter(({ id }) => id !== failed.id)
    for (const one of cancelled) expect(one).toMatchObject({
      status: 'cancelled', claimed_by: null, claimed_at: null, next_retry_at: null,
    })
    expect(await readOne(store, failed)).toEqual(failed)
    expect([
      await store.deleteDeliveryLogsByWebhook(webhookId), await store.deleteDeliveryLogsByWebhook(webhookId),
    ]).toEqual([3, 0])

    for (const status of [
      'pending', 'in_flight', 'success', 'failed', 'cancelled',
    ] as const) await add({ status, created_at: 9 })
    expect(await store.purgeExpiredLogs(9)).toBe(0)
    expect(await store.purgeExpiredLogs(10)).toBe(5)
    expect(await store.getDeliveryLogs(other, 0)).toEqual([await readOne(store, kept)])
    for (let index = 0; index < 450; index++) await add({ created_at: 9 })
    expect(await store.purgeExpiredLogs(10)).toBe(450)
    await add()
    await store.deleteWebhook(webhookId)
    expect(await store.getDeliveryLogs(webhookId, 0)).toEqual([])
    expect(await store.getDeliveryLogs(other, 0)).toHaveLength(1)
  })

  it('reads any text back, with U+FFFD for what no text column holds', async () => {
    const { store, add } = await start()
    const cut = await add({ response_body: `${'x'.repeat(4_095)}\ud83d` })
    await store.updateDeliveryLog(cut.id, { error_message: 'ends\0 here' })
    expect(await readOne(store, cut)).toMatchObject({
      response_body: `${'x'.repeat(4_095)}\ufffd`, error_message: 'ends\ufffd here',
    })
  })
}
