/** A pull that waits, for clients behind a proxy that keeps event streams back. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { maxLiveListeners } from '../../../shared/limits.ts'
import type { PullResponse } from '../../../shared/protocol.ts'
import { readLive } from '../../helpers/live-stream.ts'
import { putOf } from '../../helpers/sync.ts'
import { serveRoutes } from '../../helpers/http-server.ts'

async function serve() {
  const server = await serveRoutes()
  const { workspaceId } = await server.meet('ann')
  const scope = { workspaceId }
  const push = (pk: string) => server.call('POST /api/sync/push', { as: 'ann', body: { scope, ops: [putOf(pk)] } })
  const pull = async (body: object, as = 'ann') => {
    const startedAt = performance.now()
    const answer = await server.call<PullResponse>('POST /api/sync/pull', { as, body: { scope, limit: 1, ...body } })
    return { ...answer, tookMs: performance.now() - startedAt }
  }
  return { ...server, push, pull, workspaceId }
}

it('answers when a change comes, with the change', async () => {
  const { push, pull } = await serve()
  await push('a')
  const waiting = pull({ cursor: 1, waitMs: 5_000 })
  await sleep(300)
  await push('b')
  const answer = await waiting
  expect(answer).toMatchObject({ status: 200, body: { nextCursor: 2, changes: [{ pk: 'b' }] } })
  expect(answer.tookMs).toBeGreaterThan(290)
  expect(answer.tookMs).toBeLessThan(2_000)
})

it('tells the head alone with a filter of no tables', async () => {
  const { push, pull } = await serve()
  const waiting = pull({ cursor: 0, tables: [], waitMs: 5_000 })
  await sleep(100)
  await push('a')
  expect(await waiting).toMatchObject({ body: { changes: [], nextCursor: 1, hasMore: false } })
})

it('answers at once where it need not wait, and when its time is up', async () => {
  const { push, pull } = await serve()
  await push('a')
  for (const cursor of [0, 7]) expect((await pull({ cursor, waitMs: 5_000 })).tookMs).toBeLessThan(2_000)
  const empty = await pull({ cursor: 1, waitMs: 300 })
  expect(empty.body).toMatchObject({ changes: [], nextCursor: 1 })
  expect(empty.tookMs).toBeGreaterThan(290)
  expect((await pull({ cursor: 1, waitMs: 25_001 })).status).toBe(400)
  expect((await pull({ cursor: 1, waitMs: 'x' })).status).toBe(400)
})

it('looks at the rights again when it answers', async () => {
  const { call, meet, push, pull, workspaceId } = await serve()
  const { userId } = await meet('bob')
  const { body: { token } } = await call<{ token: string }>(`POST /api/workspaces/${workspaceId}/invites`, {
    as: 'ann', body: { email: 'bob@example.org', role: 'viewer' },
  })
  await call('POST /api/invites/accept', { as: 'bob', body: { token } })
  await call('POST /api/workspaces/active', { as: 'bob', body: { id: workspaceId } })
  const waiting = pull({ cursor: 0, waitMs: 20_000 }, 'bob')
  await sleep(200)
  await call(`DELETE /api/workspaces/${workspaceId}/members/${userId}`, { as: 'ann' })
  await push('a')
  const answer = await waiting
  expect(answer.status).toBe(403)
  expect(answer.text).not.toContain('"changes"')
  expect(answer.tookMs).toBeLessThan(3_000)
})

it('counts among the live streams of its user', async () => {
  const { origin, push, pull, workspaceId } = await serve()
  const open = () => readLive(origin, { workspaceId }, { 'x-user': 'ann' })
  const streams = await Promise.all(Array.from({ length: maxLiveListeners - 1 }, open))
  const waiting = pull({ cursor: 0, waitMs: 5_000 })
  await sleep(100)
  const refused = await pull({ cursor: 0, waitMs: 5_000 })
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '30'])
  expect((await pull({ cursor: 0 })).status).toBe(200)
  await push('a')
  expect((await waiting).status).toBe(200)
  streams.forEach(stream => stream.close())
})
