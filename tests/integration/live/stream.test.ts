/** One live stream: when rights are read, what a slow reader gets, and how long it lives. Promise P11. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { createSyncError } from '../../../server/errors.ts'
import { workspaceId } from '../../helpers/sync.ts'
import { serveStreams } from './serve-streams.ts'

const later = (seconds: number) => performance.now() + seconds * 1_000

// Seen red without the check in `onTick`: a stream that outlives its session.
it('reads the rights again after thirty seconds, and ends where they have gone', async () => {
  const { open, forbid } = await serveStreams()
  const { stream, server } = await open()
  server.onTick(later(31))
  await sleep(50)
  expect(stream.closedAt).toBeUndefined()
  forbid()
  server.onTick(later(20))
  await sleep(50)
  expect(stream.closedAt).toBeUndefined()
  server.onTick(later(62))
  await stream.closed(1_000)
  expect(stream.events.at(-1)).toMatchObject({ type: 'end', data: { reason: 'forbidden' } })
})

it.each([
  ['UNAUTHENTICATED', 'unauthenticated'], ['FORBIDDEN', 'forbidden'], ['AUTH_UNAVAILABLE', 'unavailable'],
] as const)('ends with its reason where the rights are refused with %s', async (code, reason) => {
  const { open, setRights, rightsChanges } = await serveStreams()
  const { stream } = await open()
  setRights(() => Promise.reject(createSyncError(code, 'No.')))
  rightsChanges.tell({ userId: 'ann' })
  await stream.closed(1_000)
  expect(stream.events.at(-1)).toMatchObject({ type: 'end', data: { reason } })
})

it('tells nothing while the rights are in doubt, and then the newest head', async () => {
  const { open, push, setRights, rightsChanges } = await serveStreams()
  const { stream } = await open()
  let allow = () => {}
  setRights(() => new Promise(resolve => (allow = resolve)))
  rightsChanges.tell({ workspaceId, userId: 'ann' })
  await push()
  const head = await push()
  await sleep(100)
  expect(stream.head).toBe(0)
  allow()
  await stream.next(({ data }) => data.head === head)
  expect(stream.events).toHaveLength(2)
})

it('asks again where the rights change while they are read', async () => {
  const { open, push, setRights, forbid, rightsChanges } = await serveStreams()
  const { stream } = await open()
  let allow = () => {}
  setRights(() => new Promise(resolve => (allow = resolve)))
  rightsChanges.tell({ workspaceId })
  await push()
  forbid()
  rightsChanges.tell({ workspaceId })
  allow()
  await stream.closed(1_000)
  expect(stream.head).toBe(0)
})

it.each([0, 1, 2, 3, 4, 5, 6, 7, 8])('is not begun where the rights change %s turns after they were read', async (turns) => {
  const { origin, setRights, forbid, rightsChanges, listeners, responses } = await serveStreams()
  let wasOpen = false
  setRights(async () => {
    // The stream goes on some microtasks from here: the change falls between.
    void (async () => {
      for (let turn = 0; turn < turns; turn++) await undefined
      wasOpen = responses[0]!.headersSent
      forbid()
      rightsChanges.tell({ userId: 'ann' })
    })()
  })
  const { port } = new URL(origin)
  const socket = connect(Number(port), '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  let text = ''
  socket.on('data', data => (text += data.toString()))
  socket.write('GET / HTTP/1.1\r\nhost: x\r\nx-user: ann\r\nconnection: close\r\n\r\n')
  await once(socket, 'close')
  expect(text).toMatch(wasOpen ? /hello[^]*forbidden/ : /^HTTP\/1.1 403/)
  expect(listeners.size).toBe(0)
})

it('ends where the rights cannot be read in time', async () => {
  const { open, setRights, rightsChanges } = await serveStreams()
  const { stream, server } = await open()
  setRights(() => new Promise(() => {}))
  rightsChanges.tell({ userId: 'ann' })
  server.onTick(later(11))
  await stream.closed(1_000)
  expect(stream.events.at(-1)).toMatchObject({ data: { reason: 'unavailable' } })
})

// Seen red where the session's own end did not count.
it('shows that it lives, ends after ten minutes, and with the session', async () => {
  const { open, listeners } = await serveStreams()
  const { stream, server } = await open()
  expect(stream.events[0]!.data.seconds).toBe(600)
  server.onTick(later(11))
  await expect.poll(() => stream.beats).toBe(1)
  server.onTick(later(601))
  await stream.closed(1_000)
  expect(stream.events.at(-1)).toMatchObject({ data: { reason: 'reopen' } })
  expect(listeners.size).toBe(0)

  const short = await serveStreams({ expiresAt: new Date(Date.now() + 1_500).toISOString() })
  const second = await short.open()
  expect(second.stream.events[0]!.data.seconds).toBeLessThanOrEqual(2)
  // By the registry's own clock.
  await second.stream.closed(4_000)
})

it('keeps nothing for a reader that does not read, and drops it after thirty seconds', async () => {
  const { origin, streams, figures, listeners } = await serveStreams()
  const { port } = new URL(origin)
  const socket = connect(Number(port), '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  socket.write('GET / HTTP/1.1\r\nhost: x\r\nx-user: ann\r\n\r\n')
  socket.once('readable', () => {})
  socket.pause()
  await expect.poll(() => streams.length).toBe(1)
  const [stream] = streams
  let head = 0
  let [hints, still] = [-1, 0]
  // Until the kernel takes no more: some megabytes.
  while (still < 500 && head < 1_000_000) {
    stream!.onHead(++head, performance.now())
    await new Promise(resolve => setImmediate(resolve))
    still = figures.hints === hints ? still + 1 : 0
    hints = figures.hints
  }
  expect(still).toBe(500)
  stream!.onTick(later(29))
  expect(listeners.size).toBe(1)
  stream!.onTick(later(31))
  expect([listeners.size, figures.dropped]).toEqual([0, 1])
}, 60_000)
