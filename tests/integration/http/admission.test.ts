/** What is decided of a request before it is routed, and of connections on which nothing moves. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createError, createEvent, type H3Event, isError } from 'h3'
import { expect, it, onTestFinished, vi } from 'vitest'
import { configureSync } from '../../../server/config/sync.ts'
import { guardApp, readRequestsInFlight } from '../../../server/http/admission.ts'
import { readLimited } from '../../../server/lib/limit-counts.ts'
import { serveRoutes } from '../../helpers/http-server.ts'

async function open(origin: string): Promise<{ socket: Socket, text: () => string, closed: Promise<void> }> {
  const socket = connect(Number(new URL(origin).port), '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  let text = ''
  socket.on('data', chunk => text += chunk.toString()).on('error', () => {})
  // `once` would take a reset for a failure.
  const closed = new Promise<void>(resolve => socket.on('close', () => resolve()))
  return { socket, text: () => text, closed }
}

const get = (headers: string) => `GET /api/workspaces HTTP/1.1\r\n${headers}\r\n\r\n`

// Seen red without the check: nitro's error page threw, and the log got a stack trace each time.
it.each([
  ['a host that is none', get('host: [bad')],
  ['a host with a path', get('host: x/../y')],
  ['a forwarded host that is none', get('host: x\r\nx-forwarded-host: a b')],
  ['a target that is no URL', 'GET http://[bad/ HTTP/1.1\r\nhost: x\r\n\r\n'],
])('answers 400 to %s, without a line in the log', async (_what, request) => {
  const { origin } = await serveRoutes()
  const { socket, text } = await open(origin)
  socket.write(request)
  await once(socket, 'close')
  expect(text()).toMatch(/^HTTP\/1.1 400/)
  expect(text()).toContain('"code":"INVALID_REQUEST"')
})

it('takes the hosts that there are', async () => {
  const { origin } = await serveRoutes()
  for (const host of ['localhost:3000', '[::1]:3000', 'example.org', 'xn--bcher-kva.example', '127.0.0.1']) {
    const { socket, text } = await open(origin)
    socket.write(get(`host: ${host}\r\nx-forwarded-host: a.example, b.example\r\nconnection: close`))
    await once(socket, 'close')
    expect(text()).toMatch(/^HTTP\/1.1 401/)
  }
})

// Seen red without the cap: 3,000 requests were under way at once.
it('ends a connection that sends requests faster than it takes answers, and forgets what it had', async () => {
  const { origin, meet } = await serveRoutes()
  await meet('ann')
  const before = readLimited('socket-requests')
  const { socket, closed } = await open(origin)
  socket.write(get('host: x\r\nx-user: ann').repeat(3_000))
  await closed
  expect(readLimited('socket-requests')).toBeGreaterThan(before)
  await sleep(50)
  expect(readRequestsInFlight()).toBe(0)
  expect((await serveAgain(origin)).status).toBe(200)
})

async function serveAgain(origin: string) {
  return fetch(`${origin}/api/workspaces`, { headers: { 'x-user': 'ann' } })
}

// Seen red without the count: all were served.
it('bounds the requests of one user, not those of another', async () => {
  const { origin, meet } = await serveRoutes({ limits: { rateLimits: false, maxUserRequestsInFlight: 2 } })
  await meet('ann')
  await meet('ben')
  const held = [await open(origin), await open(origin)]
  for (const { socket } of held) socket.write('POST /api/workspaces HTTP/1.1\r\nhost: x\r\nx-user: ann\r\ncontent-length: 100\r\n\r\n{')
  await sleep(150)
  const refused = await serveAgain(origin)
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1'])
  expect((await fetch(`${origin}/api/workspaces`, { headers: { 'x-user': 'ben' } })).status).toBe(200)
  for (const { socket } of held) socket.destroy()
  await sleep(150)
  expect((await serveAgain(origin)).status).toBe(200)
})

// Seen red without the count: all were served.
it('bounds the requests of all together, and says when to come back', async () => {
  const { origin, meet } = await serveRoutes({ limits: { rateLimits: false, maxRequestsInFlight: 2 } })
  await meet('ann')
  const before = readLimited('requests')
  const held = [await open(origin), await open(origin)]
  for (const { socket } of held) socket.write('POST /api/workspaces HTTP/1.1\r\nhost: x\r\nx-user: ann\r\ncontent-length: 100\r\n\r\n{')
  await vi.waitFor(() => expect(readRequestsInFlight()).toBe(2))
  const refused = await serveAgain(origin)
  expect([refused.status, refused.headers.get('retry-after'), await refused.json()]).toEqual([503, '1', expect.objectContaining({ data: { code: 'SERVER_BUSY', retryable: true } })])
  expect(readLimited('requests')).toBe(before + 1)
  for (const { socket } of held) socket.destroy()
  await vi.waitFor(async () => expect((await serveAgain(origin)).status).toBe(200))
})

// Seen red without the bound: a stack trace in the log for each request.
it('lets so many errors a minute through that nitro prints with their stack', async () => {
  configureSync({ logLinesPerMinute: 3 })
  onTestFinished(() => configureSync())
  const app = { handler: Object.assign(() => Promise.reject(new TypeError('unforeseen')), { __is_handler__: true as const }) }
  guardApp(app)
  const event = createEvent({ headers: {}, url: '/' } as never, {} as never)
  const ask = () => (app.handler as (event: H3Event) => Promise<unknown>)(event).catch((error: unknown) => error)
  const errors = await Promise.all(Array.from({ length: 20 }, ask))
  expect(errors.filter(error => error instanceof TypeError).length).toBeLessThanOrEqual(3)
  expect(errors.at(-1)).toMatchObject({ statusCode: 500, message: 'Server Error', unhandled: false })
  const refusal = createError({ statusCode: 404, message: 'no' })
  app.handler = Object.assign(() => Promise.reject(refusal), { __is_handler__: true as const })
  guardApp(app)
  expect(await ask(), 'what is thrown on purpose prints nothing').toBe(refusal)
  expect(isError(errors.at(-1))).toBe(true)
})

// Seen red without the end: it was read for as long as it came.
it('closes a chunked body that goes on after it was refused', { timeout: 30_000 }, async () => {
  const { origin } = await serveRoutes()
  const { socket, closed } = await open(origin)
  let isOpen = true
  socket.on('close', () => isOpen = false)
  socket.write('POST /api/sync/push HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n')
  const chunk = `100000\r\n${' '.repeat(2 ** 20)}\r\n`
  let sent = 0
  while (isOpen && sent < 2_000) {
    sent++
    if (!socket.write(chunk)) await Promise.race([new Promise(resolve => socket.once('drain', resolve)), closed])
  }
  expect(isOpen).toBe(false)
  expect(sent).toBeLessThan(500)
})

// Seen red without a time limit: it was kept for five minutes.
it('ends a body that stalls', async () => {
  const { origin, meet } = await serveRoutes({ limits: { rateLimits: false, idleSeconds: 1 } })
  await meet('ann')
  const { socket, closed } = await open(origin)
  socket.write('POST /api/sync/push HTTP/1.1\r\nhost: x\r\nx-user: ann\r\ncontent-length: 1000\r\n\r\n{')
  const startedAt = performance.now()
  await closed
  expect(performance.now() - startedAt).toBeLessThan(3_000)
})
