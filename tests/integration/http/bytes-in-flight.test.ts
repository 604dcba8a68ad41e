/** The byte budget over HTTP: a body counts before it is read, an answer until somebody has taken it. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished, vi } from 'vitest'
import { readRequestsInFlight } from '../../../server/http/admission.ts'
import { readBytesInFlight } from '../../../server/http/byte-budget.ts'
import { readLimited } from '../../../server/lib/limit-counts.ts'
import { serveRoutes, type TestServer } from '../../helpers/http-server.ts'
import { putOf } from '../../helpers/sync.ts'

vi.setConfig({ testTimeout: 60_000 })

/** A connection of Ann's whose answers nobody takes. */
async function hold(origin: string, text: string) {
  const socket = connect(Number(new URL(origin).port), '127.0.0.1').pause()
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write(text)
  return socket
}

const head = (path: string, more: string) => `POST /api/sync/${path} HTTP/1.1\r\nhost: x\r\nx-user: ann\r\n${more}\r\n\r\n`
const requestOf = (path: string, body: string) => `${head(path, `content-length: ${body.length}`)}${body}`
const chunkOf = (bytes: number) => `${bytes.toString(16)}\r\n${' '.repeat(bytes)}\r\n`

function largeOps(clock: number, bytes = 250_000) {
  return Array.from({ length: 20 }, (_, index) => {
    const op = putOf(`m${index}`, { stamp: { clock } })
    return { ...op, payload: { ...op.payload as object, text: 'x'.repeat(bytes) } }
  })
}

// Seen red for each with the budget asked only once the body was there: 200, and as many bodies in memory as came.
it.each([
  ['that says how long it is', head('push', 'content-length: 900000') + ' '],
  ['in chunks', head('push', 'transfer-encoding: chunked') + chunkOf(600_000)],
])('counts a body %s while it is on its way, for its user alone', async (_, text) => {
  const { origin, meet, post } = await serveRoutes({ limits: { rateLimits: false, maxUserBytesInFlight: 1_000_000 } })
  const ann = { workspaceId: (await meet('ann')).workspaceId }
  const ben = { workspaceId: (await meet('ben')).workspaceId }
  const push = (scope: object, as: string, bytes: number) => post('push', { scope, ops: largeOps(1, bytes) }, { 'x-user': as })
  const before = readLimited('user-bytes')
  const socket = await hold(origin, text)
  await vi.waitFor(() => expect(readBytesInFlight()).toBeGreaterThan(500_000))
  const refused = await push(ann, 'ann', 25_000)
  expect([refused.status, refused.headers.get('retry-after'), readLimited('user-bytes')]).toEqual([429, '1', before + 1])
  // Seen red without the page's reserve: 200.
  expect((await post('pull', { scope: ann, cursor: 0 })).status, 'a page, before it is made').toBe(429)
  expect((await push(ann, 'ann', 10)).status, 'a small one').toBe(200)
  expect((await push(ben, 'ben', 25_000)).status, 'another user').toBe(200)
  socket.destroy()
  await vi.waitFor(() => expect(readBytesInFlight()).toBe(0))
  expect((await push(ann, 'ann', 25_000)).status).toBe(200)
})

const answers: [string, (server: TestServer, scope: object) => Promise<string>][] = [
  ['pulls', async (_, scope) => requestOf('pull', JSON.stringify({ scope, cursor: 0, limit: 100 }))],
  ['small pushes that lose against large rows', async (_, scope) => requestOf('push', JSON.stringify({ scope, ops: largeOps(1, 10) }))],
]

// Seen red without the time limit: held for as long as the client liked. With a budget that was given back once an answer was
// made, and without one for the answers of pushes.
it.each(answers)('counts the answers to %s until they are taken, and ends a connection that takes none', async (_, make) => {
  const server = await serveRoutes({ limits: { rateLimits: false, idleSeconds: 3 } })
  const scope = { workspaceId: (await server.meet('ann')).workspaceId }
  expect((await server.post('push', { scope, ops: largeOps(2) })).status).toBe(200)
  const before = readLimited('idle')
  // More than the system's buffers take.
  const socket = await hold(server.origin, (await make(server, scope)).repeat(8))
  await vi.waitFor(() => expect(readBytesInFlight()).toBeGreaterThan(2 ** 20), 10_000)
  await sleep(1_500)
  expect(readBytesInFlight(), 'all are made').toBeGreaterThan(2 ** 20)
  await vi.waitFor(() => expect(readLimited('idle')).toBe(before + 1), 20_000)
  await vi.waitFor(() => expect([readBytesInFlight(), readRequestsInFlight()]).toEqual([0, 0]), 5_000)
  socket.resume()
  if (!socket.destroyed) await once(socket, 'close')
})
