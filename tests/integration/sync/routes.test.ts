/** What the sync routes add to the adapter: body limits before anything is parsed, rate limits, and who may. */
import { expect, it } from 'vitest'
import { putOf } from '../../helpers/sync.ts'
import { serveRoutes } from '../../helpers/http-server.ts'

it('serves a push and a pull, and a body limit of its own for each server', async () => {
  const { post, meet } = await serveRoutes({ limits: { maxBodyBytes: 2_000, maxOpsPerPush: 2, rateLimits: false } })
  const scope = { workspaceId: (await meet('ann')).workspaceId }
  const op = putOf('a')
  expect(await post('push', { scope, ops: [op] })).toMatchObject({ status: 200, body: { results: [{ success: true, serverVersion: 1 }], serverVersion: 1 } })
  expect(await post('pull', { scope, cursor: 0, limit: 10 })).toMatchObject({ status: 200, body: { changes: [{ pk: 'a', payload: op.payload }], nextCursor: 1 } })
  expect(await post('push', { scope, ops: [op, op, op] })).toMatchObject({ status: 400, body: { message: expect.stringContaining('at most 2') } })
  expect(await post('push', { scope, ops: [{ ...op, payload: 'x'.repeat(2_000) }] })).toMatchObject({ status: 413, body: { data: { code: 'BODY_TOO_LARGE', retryable: false } } })
})

it('counts a body without a length as it comes, and does not parse what is too long', async () => {
  const { origin } = await serveRoutes({ limits: { maxBodyBytes: 100_000, rateLimits: false } })
  let sent = 0
  const long = new ReadableStream({
    async pull(controller) {
      await new Promise(resolve => setImmediate(resolve))
      controller.enqueue(new Uint8Array(100_000).fill(32))
      sent += 100_000
      if (sent >= 50_000_000) controller.close()
    },
  })
  const request = { method: 'POST', headers: { 'x-user': 'ann' }, body: long, duplex: 'half' } as RequestInit
  const response = await fetch(`${origin}/api/sync/push`, request).catch(() => undefined)
  if (response) expect(response.status).toBe(413)
  expect(sent).toBeLessThan(25_000_000)
})

it('takes 50 ops of 256 KiB by default, and not 17 MiB', async () => {
  const { post, meet } = await serveRoutes()
  const scope = { workspaceId: (await meet('ann')).workspaceId }
  const big = (pk: string) => {
    const op = putOf(pk)
    return { ...op, payload: { ...op.payload as object, data: 'x'.repeat(261_000) } }
  }
  const { status, body } = await post('push', { scope, ops: Array.from({ length: 50 }, (_, index) => big(`m${index}`)) })
  expect({ status, serverVersion: body['serverVersion'] }).toEqual({ status: 200, serverVersion: 50 })
  expect((await post('push', ' '.repeat(17 * 1024 * 1024))).status).toBe(413)
})

it('answers broken JSON and another shape with 400 and the path', async () => {
  const { post, meet } = await serveRoutes()
  const scope = { workspaceId: (await meet('ann')).workspaceId }
  const expectRefused = async (body: unknown, message: RegExp) =>
    expect(await post('push', body)).toMatchObject({ status: 400, body: { message: expect.stringMatching(message), data: { code: 'INVALID_REQUEST', retryable: false } } })
  await expectRefused('', /empty/)
  await expectRefused('{"scope":', /not valid JSON/)
  await expectRefused(new Uint8Array([0xff, 0xfe]), /not UTF-8/)
  await expectRefused('['.repeat(100_000), /JSON|nested/i)
  await expectRefused([], /workspaceId/)
  await expectRefused({ scope }, /^Invalid push request: ops/)
  await expectRefused({ scope, ops: [{}] }, /^Invalid push request: ops\.0\./)
})

it('lets an op with a clock that no number holds fail alone', async () => {
  const { post, meet } = await serveRoutes()
  const scope = { workspaceId: (await meet('ann')).workspaceId }
  const text = JSON.stringify({ scope, ops: [putOf('a'), putOf('b', { stamp: { clock: 777 } }), putOf('c', { stamp: { clock: 888 } }), putOf('d')] })
    .replace('"clock":777', '"clock":9007199254740993').replace('"clock":888', '"clock":1e400')
  expect(await post('push', text)).toMatchObject({
    status: 200,
    body: { results: [{ success: true }, { success: false, errorCode: 'VALIDATION_ERROR' }, { success: false, errorCode: 'VALIDATION_ERROR' }, { success: true, serverVersion: 2 }] },
  })
})

// Seen red: such a number called an object.
it.each([['9007199254740993', 'Too big'], ['1e400', 'received Infinity'], ['12345678901234567890', 'Too big']])('says that %s is out of range', async (number, why) => {
  const { post, meet } = await serveRoutes()
  const scope = { workspaceId: (await meet('ann')).workspaceId }
  for (const [route, field] of [['pull', 'cursor'], ['pull', 'limit'], ['snapshot', 'pageSize'], ['update-cursor', 'version'], ['gc-change-log', 'retentionSeconds']] as const) {
    const text = JSON.stringify({ scope, deviceId: 'd', cursor: 0, [field]: 'it' }).replace('"it"', number)
    expect(await post(route, text)).toMatchObject({ status: 400, body: { message: expect.stringMatching(new RegExp(`: ${field}: .*${why}`)) } })
  }
})

it('refuses nobody with 401, another workspace with 403, before it reads anything of it', async () => {
  const { post, meet } = await serveRoutes()
  const scope = { workspaceId: (await meet('ben')).workspaceId }
  await meet('ann')
  expect(await post('pull', { scope, cursor: 0 }, { 'x-user': '' })).toMatchObject({ status: 401 })
  for (const route of ['push', 'pull', 'snapshot', 'update-cursor', 'gc-change-log', 'gc-tombstones']) {
    expect(await post(route, { scope })).toMatchObject({ status: 403, body: { data: { code: 'NOT_A_MEMBER' } } })
  }
})

// Seen red where a refused request was taken back: bodies that take long to refuse could be sent without end.
it('limits what a user asks in a minute, says what is left, and counts what it refused too', async () => {
  const { post, meet } = await serveRoutes({ limits: { rateLimits: { pull: 3, gc: 1 } } })
  const scope = { workspaceId: (await meet('ann')).workspaceId }
  const pull = () => post('pull', { scope, cursor: 0 })
  expect((await post('pull', { scope, cursor: -1 })).status).toBe(400)
  const first = await pull()
  expect([first.headers.get('x-ratelimit-limit'), first.headers.get('x-ratelimit-remaining')]).toEqual(['3', '1'])
  expect((await pull()).headers.get('x-ratelimit-remaining')).toBe('0')
  const refused = await pull()
  expect(refused).toMatchObject({ status: 429, body: { message: expect.stringMatching(/^Rate limit exceeded\. Retry after \d+s$/), data: { code: 'RATE_LIMITED', retryable: true } } })
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)

  const elsewhere = { workspaceId: (await meet('ben')).workspaceId }
  expect((await post('pull', { scope: elsewhere, cursor: 0 }, { 'x-user': 'ben' })).status).toBe(200)
  expect((await post('gc-change-log', { scope, retentionSeconds: 3600 })).status).toBe(200)
  expect((await post('gc-tombstones', { scope, retentionSeconds: 3600 })).status).toBe(429)
})
