/** The route of live hints: who gets a stream, of what, and when it ends. Promise P11. */
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { createApp, createRouter, getRequestHeader, setResponseHeader, toNodeListener } from 'h3'
import { expect, it, onTestFinished } from 'vitest'
import { maxLiveListeners } from '../../../shared/limits.ts'
import type { AuthProvider } from '../../../server/auth/provider.ts'
import { endSession } from '../../../server/http/live/live.ts'
import { createMetrics } from '../../../server/operations/metrics.ts'
import type { SyncSettingsInput } from '../../../server/config/sync.ts'
import { readRequestsInFlight } from '../../../server/http/admission.ts'
import { defineHandler } from '../../../server/http/errors.ts'
import { rightsChanges } from '../../../server/workspaces/rights-changes.ts'
import { readLive, type ReadStream } from '../../helpers/live-stream.ts'
import { putOf } from '../../helpers/sync.ts'
import { serveRoutes } from '../../helpers/http-server.ts'
import { MARKER, OWNER, UNKNOWN } from '../auth/two-tenants.ts'

/** Who is signed in by the header, unless their sessions have ended. */
async function serve(limits: SyncSettingsInput = {}) {
  const ended = new Set<string>()
  const provider: AuthProvider = {
    getSession(event) {
      const id = getRequestHeader(event, 'x-user')
      return id && !ended.has(id) ? { user: { id, email: `${id}@example.org` } } : null
    },
  }
  const server = await serveRoutes({ provider, limits: { rateLimits: false, ...limits } })
  const listen = async (as: string | undefined, workspaceId: string, more: Record<string, string> = {}) => {
    const stream = await readLive(server.origin, { workspaceId, ...more }, as ? { 'x-user': as } : {})
    onTestFinished(stream.close)
    return stream
  }
  const open = async (as: string, workspaceId: string, more: Record<string, string> = {}) => {
    const stream = await listen(as, workspaceId, more)
    await stream.next(({ type }) => type === 'hello')
    return stream
  }
  const push = async (as: string, workspaceId: string) => {
    const answer = await server.call<{ serverVersion: number }>('POST /api/sync/push', {
      as, body: { scope: { workspaceId }, ops: [putOf(`row-${Math.random()}`)] },
    })
    expect(answer.status).toBe(200)
    return answer.body.serverVersion
  }
  /** A workspace of its own for `as`, with the others as its editors. */
  const share = async (as: string, others: string[]) => {
    const { workspaceId } = await server.meet(as)
    for (const other of others) {
      await server.meet(other)
      const { body: { token } } = await server.call<{ token: string }>(`POST /api/workspaces/${workspaceId}/invites`, {
        as, body: { email: `${other}@example.org`, role: 'editor' },
      })
      await server.call('POST /api/invites/accept', { as: other, body: { token } })
      await server.call('POST /api/workspaces/active', { as: other, body: { id: workspaceId } })
    }
    return workspaceId
  }
  return { ...server, listen, open, push, share, ended }
}

async function expectEnd(stream: ReadStream, reason: string, since: number) {
  await stream.closed(2_000)
  expect(stream.closedAt! - since).toBeLessThan(1_000)
  expect(stream.events.at(-1)).toMatchObject({ type: 'end', data: { reason } })
}

it('begins with hello and the head, then tells the newest head after each push', async () => {
  const { meet, open, push } = await serve()
  const { workspaceId } = await meet('ann')
  await push('ann', workspaceId)
  const stream = await open('ann', workspaceId)
  expect(stream.status).toBe(200)
  expect(stream.headers).toMatchObject({
    'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store, no-transform',
    'x-accel-buffering': 'no',
  })
  expect(stream.events).toMatchObject([{ type: 'hello', data: { head: 1 } }])
  expect(stream.events[0]!.data.seconds).toBeGreaterThanOrEqual(540)
  expect(stream.events[0]!.data.seconds).toBeLessThanOrEqual(660)
  const heads = await Promise.all([1, 2, 3].map(() => push('ann', workspaceId)))
  await stream.next(({ data }) => data.head === Math.max(...heads))
  expect(Object.keys(stream.events.at(-1)!.data)).toEqual(['head'])
})

it('is refused as a pull is, before anything is written', async () => {
  const { meet, listen, call, origin } = await serve()
  const own = await meet('ann')
  const other = await meet(OWNER)
  for (const [as, workspaceId] of [
    [undefined, own.workspaceId], ['ann', other.workspaceId], ['ann', UNKNOWN], ['ann', 'a\0b'], ['ann', ''],
  ] as const) {
    const stream = await listen(as, workspaceId)
    const text = await stream.text()
    const pull = await call('POST /api/sync/pull', { as: as ?? '', body: { scope: { workspaceId }, cursor: 0 } })
    expect([stream.status, text]).toEqual([pull.status, pull.text])
    expect(text).not.toContain(MARKER)
  }
  const nameless = await readLive(origin, {}, { 'x-user': 'ann' })
  expect(nameless.status).toBe(400)
  const headers = { 'x-user': 'ann', 'sec-fetch-site': 'cross-site' }
  const foreign = await readLive(origin, { workspaceId: own.workspaceId }, headers)
  expect([foreign.status, await foreign.text()]).toEqual([403, expect.stringContaining('CROSS_SITE')])
})

it('tells nothing of another workspace', async () => {
  const { meet, open, push } = await serve()
  const own = await meet('ann')
  const other = await meet('bob')
  const stream = await open('ann', own.workspaceId)
  for (let count = 0; count < 5; count++) await push('bob', other.workspaceId)
  await push('ann', own.workspaceId)
  await stream.next(({ data }) => data.head === 1)
  expect(stream.events).toHaveLength(2)
})

it('has so many streams for one user, and none of it is felt by another', async () => {
  const { open, listen, share } = await serve()
  const workspaceId = await share('ann', ['bob'])
  const streams = await Promise.all(Array.from({ length: maxLiveListeners }, () => open('ann', workspaceId)))
  const refused = await listen('ann', workspaceId)
  expect(refused).toMatchObject({ status: 429, headers: { 'retry-after': '30' } })
  expect(await refused.text()).toContain('16 live streams of this user are open')
  await open('bob', workspaceId)
  streams[0]!.close()
  await sleep(100)
  await open('ann', workspaceId)
})

it('is no request under way, however often its rights are read', async () => {
  const { call, open, push, share, meet } = await serve({ maxUserRequestsInFlight: 3, maxRequestsInFlight: 4 })
  const workspaceId = await share('ann', ['bob'])
  const streams = await Promise.all(Array.from({ length: 3 }, () => open('ann', workspaceId)))
  for (let count = 0; count < 3; count++) streams.push(await open('ann', workspaceId))
  const { userId } = await meet('ann')
  for (let count = 0; count < 8; count++) {
    rightsChanges.tell({ userId })
    await call('GET /api/workspaces', { as: 'ann' })
  }
  const head = await push('ann', workspaceId)
  for (const stream of streams) await stream.next(({ data }) => data.head === head)
  expect(readRequestsInFlight()).toBeLessThan(3)
})

it('lets a client\'s new stream take the place of its lost one', async () => {
  const { open, share } = await serve()
  const workspaceId = await share('ann', ['bob'])
  const other = await open('bob', workspaceId, { client: 'tab-1' })
  const first = await open('ann', workspaceId, { client: 'tab-1' })
  for (let count = 0; count < maxLiveListeners + 2; count++) await open('ann', workspaceId, { client: 'tab-1' })
  await expectEnd(first, 'reopen', performance.now())
  expect(other.closedAt).toBeUndefined()
})

// Seen red where a stream did not hear of doubts, as the deleted workspace's.
it('ends when the membership does, and tells nothing of the pushes after', async () => {
  const { call, open, push, share, meet } = await serve()
  const workspaceId = await share('ann', ['bob', 'cyd'])
  const stream = await open('bob', workspaceId)
  const stays = await open('cyd', workspaceId)
  const { userId } = await meet('bob')
  expect((await call(`DELETE /api/workspaces/${workspaceId}/members/${userId}`, { as: 'ann' })).status).toBe(200)
  const since = performance.now()
  const head = await push('ann', workspaceId)
  await expectEnd(stream, 'forbidden', since)
  expect(stream.head).toBeLessThan(head)
  await stays.next(({ data }) => data.head === head)
})

it('goes on where a role is lowered to one that may still pull', async () => {
  const { call, open, push, share, meet } = await serve()
  const workspaceId = await share('ann', ['bob'])
  const stream = await open('bob', workspaceId)
  const { userId } = await meet('bob')
  await call(`PATCH /api/workspaces/${workspaceId}/members/${userId}`, { as: 'ann', body: { role: 'viewer' } })
  const head = await push('ann', workspaceId)
  await stream.next(({ data }) => data.head === head)
})

it('ends for everybody when the workspace is deleted', async () => {
  const { call, open, share } = await serve()
  const workspaceId = await share('ann', ['bob'])
  const streams = [await open('ann', workspaceId), await open('bob', workspaceId)]
  expect((await call(`DELETE /api/workspaces/${workspaceId}`, { as: 'ann' })).status).toBe(200)
  const since = performance.now()
  for (const stream of streams) await expectEnd(stream, 'forbidden', since)
})

// Seen red where `endSessions` closed none.
it('ends when the app says that the session has ended, on all devices of the user', async () => {
  const { open, push, share, ended, origin } = await serve()
  const workspaceId = await share('ann', ['bob'])
  const streams = [await open('bob', workspaceId), await open('bob', workspaceId)]
  const stays = await open('ann', workspaceId)
  const signOut = createRouter().post('/api/sign-out', defineHandler(async (event) => {
    await endSession(event, () => ended.add('bob'))
    return {}
  }))
  const app = createServer(toNodeListener(createApp().use(signOut))).listen(0, '127.0.0.1')
  await new Promise(resolve => app.once('listening', resolve))
  onTestFinished(() => void app.close())
  const { port } = app.address() as { port: number }
  const asBob = { method: 'POST', headers: { 'x-user': 'bob' } }
  const { status } = await fetch(`http://127.0.0.1:${port}/api/sign-out`, asBob)
  expect(status).toBe(200)
  const since = performance.now()
  const head = await push('ann', workspaceId)
  for (const stream of streams) {
    await expectEnd(stream, 'session', since)
    expect(stream.head).toBeLessThan(head)
  }
  await stays.next(({ data }) => data.head === head)
  expect((await readLive(origin, { workspaceId }, { 'x-user': 'bob' })).status).toBe(401)
})

it('reads a session anew that the provider keeps on the request, and lets it set a cookie', async () => {
  const ended = new Set<string>()
  // As h3's own cookie sessions do.
  const { call, origin, meet } = await serveRoutes({
    provider: {
      getSession(event) {
        const id = getRequestHeader(event, 'x-user')
        const kept = (event.context.sessions ??= {}) as Record<string, unknown>
        kept['own'] ??= { isOver: !id || ended.has(id) }
        setResponseHeader(event, 'set-cookie', 'renewed=1')
        return (kept['own'] as { isOver: boolean }).isOver ? null : { user: { id: id! } }
      },
    },
  })
  const { workspaceId, userId } = await meet('ann')
  const stream = await readLive(origin, { workspaceId }, { 'x-user': 'ann' })
  onTestFinished(stream.close)
  rightsChanges.tell({ userId })
  await call('GET /api/workspaces', { as: 'ann' })
  await sleep(100)
  expect(stream.closedAt).toBeUndefined()
  ended.add('ann')
  const since = performance.now()
  rightsChanges.tell({ userId })
  await expectEnd(stream, 'unauthenticated', since)
})

it('goes on when the user makes another workspace the active one', async () => {
  const { call, open, push, share } = await serve()
  const workspaceId = await share('ann', ['bob'])
  const stream = await open('bob', workspaceId)
  const { body } = await call<{ id: string }>('POST /api/workspaces', { as: 'bob', body: { name: 'Other' } })
  await call('POST /api/workspaces/active', { as: 'bob', body: { id: body.id } })
  const head = await push('ann', workspaceId)
  await stream.next(({ data }) => data.head === head)
})

// Seen red where a hint was not counted.
it('shows in the metrics who listens, what was told, and how late', async () => {
  const { open, push, share } = await serve()
  const { read } = await createMetrics(() => undefined)
  const workspaceId = await share('ann', ['bob'])
  const streams = [await open('ann', workspaceId), await open('bob', workspaceId)]
  const head = await push('ann', workspaceId)
  for (const stream of streams) await stream.next(({ data }) => data.head === head)
  const text = await read()
  expect(text).toMatch(/^or3_sync_live_listeners 2$/m)
  expect(text).toMatch(/^or3_sync_live_hint_seconds_count 2$/m)
  expect(text).toMatch(/^or3_sync_live_hint_seconds_bucket\{le="0.25"\} 2$/m)
  expect(text).toMatch(/^or3_sync_live_dropped_readers_total 0$/m)
  streams.forEach(stream => stream.close())
  await expect.poll(read).toMatch(/^or3_sync_live_listeners 0$/m)
})
