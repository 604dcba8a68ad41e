/**
 * What a host relies on in a `WebhookStore`, as tests over any implementation. `setUp` gives a store on an empty
 * database and the clock it goes by. Deliveries: `webhook-store-deliveries.ts`.
 */
import { expect, it } from 'vitest'
import type { NewWebhook, WebhookStore } from '../../server/host/webhooks/types.ts'
import { describeWebhookDeliveries } from './webhook-store-deliveries.ts'

export interface WebhookSetUp {
  store: WebhookStore
  clock: { ms: number }
}

const registration: NewWebhook = {
  scope: 'user', user_id: 'ada', workspace_id: 'w1', url: 'https://example.test/a', label: 'A',
  events: ['thread.created', 'message.created'],
  custom_hooks: [], signing_secret_enc: 'ciphertext', enabled: true,
}
const ofAdmin: NewWebhook = { ...registration, scope: 'admin', user_id: null, workspace_id: null }

/** Adds the tests to the suite around it. */
export function describeWebhookStore(setUp: () => Promise<WebhookSetUp>): void {
  it('keeps a webhook as it was given, under an id of its own, and answers null for an unknown one', async () => {
    const { store, clock } = await setUp()
    const made = await store.createWebhook({ ...ofAdmin, custom_hooks: ['b:after', 'a:after', 'b:after'] })
    expect(made).toEqual({
      ...ofAdmin, custom_hooks: ['b:after', 'a:after', 'b:after'], id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      health: 'unknown',
      created_at: clock.ms, updated_at: clock.ms,
    })
    expect(await store.getWebhook(made.id)).toEqual(made)
    expect(await store.getWebhook('none')).toBeNull()
  })

  it('changes the fields of a patch alone, and rejects an unknown id by its name', async () => {
    const { store, clock } = await setUp()
    const made = await store.createWebhook(registration)
    clock.ms += 10
    const changed = await store.updateWebhook(made.id, { label: 'B', enabled: false, workspace_id: null })
    expect(changed).toEqual({ ...made, label: 'B', enabled: false, workspace_id: null, updated_at: clock.ms })
    expect(await store.getWebhook(made.id)).toEqual(changed)
    expect(await store.updateWebhook(made.id, { events: [], label: undefined })).toEqual({ ...changed, events: [] })
    await expect(store.updateWebhook('no such webhook', { label: 'x' })).rejects.toThrow('no such webhook')
  })

  it('forgets the health with another url, and keeps it with the same one', async () => {
    const { store, clock } = await setUp()
    const { id } = await store.createWebhook(registration)
    clock.ms += 5
    await store.updateWebhookHealth(id, 'healthy')
    expect(await store.getWebhook(id)).toMatchObject({ health: 'healthy', updated_at: clock.ms })
    expect((await store.updateWebhook(id, { url: registration.url, label: 'B' })).health).toBe('healthy')
    expect((await store.updateWebhook(id, { url: 'https://example.test/b' })).health).toBe('unknown')
  })

  it('lists the webhooks of one user in one workspace, and those of all administrators, newest first', async () => {
    const { store, clock } = await setUp()
    const make = async (webhook: NewWebhook) => {
      clock.ms += 1
      return (await store.createWebhook(webhook)).id
    }
    const [first, second] = [await make(registration), await make({ ...registration, enabled: false })]
    await make({ ...registration, user_id: 'bob' })
    await make({ ...registration, workspace_id: 'w2' })
    const [third, fourth] = [await make(ofAdmin), await make({ ...ofAdmin, user_id: 'ada', workspace_id: 'w1' })]
    const ids = (list: { id: string }[]) => list.map(({ id }) => id)
    expect(ids(await store.listWebhooks('ada', 'w1'))).toEqual([second, first])
    expect(ids(await store.listAdminWebhooks())).toEqual([fourth, third])
    const sameMoment = [(await store.createWebhook(ofAdmin)).id, (await store.createWebhook(ofAdmin)).id]
    expect(ids(await store.listAdminWebhooks()).slice(0, 2), 'of one millisecond too').toEqual(sameMoment.reverse())
  })

  it('finds by event the enabled webhooks of the workspace, and nothing of a user without one', async () => {
    const { store } = await setUp()
    const labels = async (...args: Parameters<WebhookStore['listWebhooksByEvent']>) =>
      (await store.listWebhooksByEvent(...args)).map(({ label }) => label).sort()
    for (const [label, webhook] of Object.entries<NewWebhook>({
      here: registration, elsewhere: { ...registration, workspace_id: 'w2' }, off: { ...registration, enabled: false },
      other: { ...registration, events: ['thread.created.late', 'thread'] }, bobs: { ...registration, user_id: 'bob' },
      everywhere: ofAdmin, adminHere: { ...ofAdmin, workspace_id: 'w1' },
      adminElsewhere: { ...ofAdmin, workspace_id: 'w2' },
    })) await store.createWebhook({ ...webhook, label })
    expect(await labels('thread.created', 'user', 'w1')).toEqual(['bobs', 'here'])
    expect(await labels('thread.created', 'admin', 'w1')).toEqual(['adminHere', 'everywhere'])
    expect(await labels('thread.created', 'user')).toEqual([])
    expect(await labels('thread.created', 'user', '')).toEqual([])
    expect(await labels('thread.created', 'admin')).toEqual(['everywhere'])
    expect(await labels('thread', 'user', 'w1')).toEqual(['other'])
    expect(await labels('thread.%', 'user', 'w1')).toEqual([])
  })

  it('finds administrators\' webhooks by custom hook, and names the hooks that are wanted', async () => {
    const { store } = await setUp()
    const one = await store.createWebhook({ ...ofAdmin, custom_hooks: ['z:after', 'a:after'], workspace_id: 'w9' })
    const off = await store.createWebhook({ ...ofAdmin, custom_hooks: ['m:after', 'a:after'], enabled: false })
    await store.createWebhook({ ...registration, custom_hooks: ['u:after'] })
    expect(await store.listActiveCustomHookNames()).toEqual(['a:after', 'z:after'])
    expect((await store.listWebhooksByCustomHook('a:after')).map(({ id }) => id)).toEqual([one.id])
    await store.updateWebhook(off.id, { enabled: true })
    expect(await store.listActiveCustomHookNames()).toEqual(['a:after', 'm:after', 'z:after'])
    await store.updateWebhook(one.id, { label: 'still', url: 'https://example.test/c' })
    expect(await store.listWebhooksByCustomHook('z:after')).toHaveLength(1)
    expect((await store.updateWebhook(one.id, { custom_hooks: ['b:after'] })).custom_hooks).toEqual(['b:after'])
    expect(await store.listActiveCustomHookNames()).toEqual(['a:after', 'b:after', 'm:after'])
    expect(await store.listWebhooksByCustomHook('z:after')).toEqual([])
    await store.deleteWebhook(one.id)
    expect(await store.listActiveCustomHookNames()).toEqual(['a:after', 'm:after'])
    await store.deleteWebhook(one.id)
  })

  it('disables what one user has enabled in one workspace, and counts it', async () => {
    const { store, clock } = await setUp()
    const made = await Promise.all([
      registration, registration, { ...registration, enabled: false },
    ].map(webhook => store.createWebhook(webhook)))
    const others = await Promise.all([{ ...registration, user_id: 'bob' }, { ...registration, workspace_id: 'w2' }, {
      ...ofAdmin, user_id: 'ada', workspace_id: 'w1',
    }]
      .map(webhook => store.createWebhook(webhook)))
    clock.ms += 1
    expect([await store.disableAllWebhooks('ada', 'w1'), await store.disableAllWebhooks('ada', 'w1')]).toEqual([2, 0])
    expect((await store.listWebhooks('ada', 'w1')).filter(({ enabled }) => enabled)).toEqual([])
    expect(await store.getWebhook(made[0]!.id)).toMatchObject({ updated_at: clock.ms })
    for (const other of others) expect(await store.getWebhook(other.id)).toEqual(other)
  })

  it('reads any text back, with U+FFFD for what no text column holds', async () => {
    const { store } = await setUp()
    const { id } = await store.createWebhook({
      ...registration, label: 'cut \ud83d', events: ['a\ud800', 'b\0'], url: 'https://example.test/\0',
    })
    expect(await store.getWebhook(id)).toMatchObject({
      label: 'cut \ufffd', events: ['a\ud800', 'b\0'], url: 'https://example.test/\ufffd',
    })
  })

  describeWebhookDeliveries(setUp, registration)
}
