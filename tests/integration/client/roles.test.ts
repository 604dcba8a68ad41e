/**
 * A user's role changes while the client runs, against the real routes over HTTP: a viewer goes on reading, and what
 * waits is pushed when the role rises again; who is no member any more stops. Upholds P12.
 */
import { expect, it } from 'vitest'
import { createHttpTransport, type SyncClientOptions, type SyncStore } from '../../../client/index.ts'
import type { WorkspaceRole } from '../../../shared/answers.ts'
import { serveRoutes } from '../../helpers/http-server.ts'
import { openTab, posts, until } from './devices.ts'

type Options = SyncClientOptions & { fetch?: typeof fetch }

/** Ann's workspace with Bob in it; `openAs` is a device of either. */
async function share() {
  const { call, meet, origin } = await serveRoutes()
  const { workspaceId } = await meet('ann')
  const bob = await meet('bob')
  const asAnn = (route: string, body?: unknown) => call<Record<string, string>>(route, { as: 'ann', body })
  const admit = async () => {
    const invite = { email: 'bob@example.org', role: 'editor' }
    const { body: { token } } = await asAnn(`POST /api/workspaces/${workspaceId}/invites`, invite)
    expect((await call('POST /api/invites/accept', { as: 'bob', body: { token } })).status).toBe(200)
  }
  await admit()

  const openAs = async (as: string, options: Options = {}): Promise<SyncStore> => {
    const transport = createHttpTransport({ baseUrl: origin, headers: { 'x-user': as }, fetch: options.fetch })
    const store = await openTab(transport, options).open({ userId: as, workspaceId })
    await until(() => store.status.isLeader)
    return store
  }
  const member = `/api/workspaces/${workspaceId}/members/${bob.userId}`
  return {
    openAs,
    admit,
    setRole: async (role: WorkspaceRole) => expect((await asAnn(`PATCH ${member}`, { role })).status).toBe(200),
    remove: async () => expect((await asAnn(`DELETE ${member}`)).status).toBe(200),
  }
}

// Seen red with READ_ONLY thrown on as any 403 is, which stops the store.
it('a viewer goes on pulling, keeps what waits, says why, and pushes it when the role has risen', async () => {
  const { openAs, setRole } = await share()
  const now = Date.now()
  const [ann, bob] = [await openAs('ann'), await openAs('bob', { now: () => now })]
  await bob.sync()
  await setRole('viewer')
  bob.table(posts).put({ id: 'p1', title: 'of a viewer' })
  ann.table(posts).put({ id: 'p2', title: 'of the owner' })
  await ann.sync()
  expect(await bob.sync()).toMatchObject({ ok: true, pushed: 0, refused: 0 })
  expect(bob.table(posts).get('p2')).toBeDefined()
  expect(bob.status).toMatchObject({
    pending: 1, failures: 0, stopped: undefined, lastSyncAt: now,
    error: { status: 403, code: 'READ_ONLY', retryAt: now + 60_000 },
  })
  expect(bob.table(posts).get('p1')).toBeDefined()

  await setRole('editor')
  expect(await bob.sync()).toMatchObject({ ok: true, pushed: 1 })
  expect(bob.status).toMatchObject({ pending: 0, error: undefined })
  await ann.sync()
  expect(ann.table(posts).get('p1')).toBeDefined()
})

// Seen red with a loop that runs again at once while something waits, and with a hold for ever.
it('the loop of a viewer pulls at its pace and asks for the role once a minute, or when the session was looked at', async () => {
  const { openAs, setRole } = await share()
  let pushes = 0
  let now = Date.now()
  const countPushes: typeof fetch = (url, init) => {
    if (String(url).endsWith('/push')) pushes++
    return fetch(url, init)
  }
  const ann = await openAs('ann')
  await setRole('viewer')
  const bob = await openAs('bob', { isAutomatic: true, isLive: false, paceMs: 20, now: () => now, fetch: countPushes })
  bob.table(posts).put({ id: 'p1', title: 'of a viewer' })
  await until(() => bob.status.error?.code === 'READ_ONLY')
  for (const id of ['p2', 'p3']) {
    ann.table(posts).put({ id, title: 'of the owner' })
    await ann.sync()
    await until(() => bob.table(posts).get(id) !== undefined)
    bob.table(posts).patch('p1', { title: `edited after ${id}` })
  }
  expect([pushes, bob.status.pending, bob.status.error?.code]).toEqual([1, 1, 'READ_ONLY'])
  bob.setPace(60_000)
  await until(() => !bob.status.isSyncing)
  let told = 0
  const stop = bob.subscribe(() => told++)
  await new Promise(resolve => setTimeout(resolve, 300))
  stop()
  expect(told).toBeLessThan(4)
  bob.setPace(20)
  now += 60_001
  await until(() => pushes === 2)
  await setRole('editor')
  bob.resume()
  await until(() => bob.status.pending === 0)
  expect([pushes, bob.status.error, bob.failures]).toEqual([3, undefined, []])
})

it('who was removed stops, keeps what waits, and says so; back in the workspace it goes on', async () => {
  const { openAs, admit, remove } = await share()
  const bob = await openAs('bob')
  await bob.sync()
  const { deviceId } = bob.status
  await remove()
  bob.table(posts).put({ id: 'p1', title: 'too late' })
  expect(await bob.sync()).toMatchObject({ ok: false, error: { status: 403, code: 'NOT_A_MEMBER' } })
  expect(bob.status).toMatchObject({
    pending: 1, stopped: 'forbidden', error: { code: 'NOT_A_MEMBER', retryAt: undefined }, deviceId,
  })
  expect(await bob.sync()).toBeUndefined()
  await admit()
  bob.resume()
  expect(await bob.sync()).toMatchObject({ ok: true, pushed: 1 })
  expect(bob.status.stopped).toBeUndefined()
})
