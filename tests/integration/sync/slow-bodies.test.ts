/** Bodies that come slowly, in pieces, or by the million: what is decided while they come, and what they cost. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import { expect, it, onTestFinished } from 'vitest'
import { useSyncDatabase } from '../../../server/layer.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import { event, putOf, scope } from '../../helpers/sync.ts'
import { serveRoutes } from '../../helpers/http-server.ts'
import { adapterOf } from '../../helpers/engine.ts'

/** A connection on which all of the request has been sent but the last byte. */
async function hold(origin: string, route: string, body: object) {
  const { port } = new URL(origin)
  const text = JSON.stringify(body)
  const socket = connect(Number(port), '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  socket.write(`POST /api/sync/${route} HTTP/1.1\r\nhost: x\r\nx-user: ann\r\nconnection: close\r\ncontent-length: ${text.length}\r\n\r\n${text.slice(0, -1)}`)
  await once(socket, 'connect')
  await sleep(100)
  return {
    async finish() {
      let answer = ''
      socket.on('data', data => answer += data.toString())
      socket.write(text.slice(-1))
      await once(socket, 'close')
      return Number(/^HTTP\/1.1 (\d+)/.exec(answer)![1])
    },
  }
}

// Seen red where the rights of the request's first byte counted: 200 for all three.
it('asks for rights once the body is there', async () => {
  const { origin, meet } = await serveRoutes()
  const { workspaceId } = await meet('ann')
  const own = { workspaceId }
  const held = [
    await hold(origin, 'push', { scope: own, ops: [putOf('a')] }),
    await hold(origin, 'gc-tombstones', { scope: own, retentionSeconds: 3_600 }),
  ]
  const { write } = await useSyncDatabase()
  await write(tx => tx.run(sql`update workspace_members set role = 'viewer'`))
  expect(await Promise.all(held.map(one => one.finish()))).toEqual([403, 403])

  const pull = await hold(origin, 'pull', { scope: own, cursor: 0 })
  await write(tx => tx.run(sql`delete from workspace_members`))
  expect(await pull.finish()).toBe(403)
})

// Seen red where a request counted when it had been served: all five.
it('counts requests that end together', async () => {
  const { origin, meet } = await serveRoutes({ limits: { rateLimits: { pull: 2 } } })
  const own = { workspaceId: (await meet('ann')).workspaceId }
  const held = []
  for (let index = 0; index < 5; index++) held.push(await hold(origin, 'pull', { scope: own, cursor: 0 }))
  const answers = await Promise.all(held.map(one => one.finish()))
  expect(answers.sort()).toEqual([200, 200, 429, 429, 429])
})

it('reads a body in whatever pieces it comes, for no more memory than it has bytes', async () => {
  const { origin } = await serveRoutes()
  const { port } = new URL(origin)
  const socket = connect(Number(port), '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  socket.write('POST /api/sync/pull HTTP/1.1\r\nhost: x\r\nx-user: ann\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n')
  await once(socket, 'connect')
  let answer = ''
  socket.on('data', data => answer += data.toString())
  for (const letter of '{"scope":{"workspaceId":"é"},"cursor":0}') {
    const bytes = Buffer.from(letter)
    for (const byte of bytes) socket.write(Buffer.concat([Buffer.from('1\r\n'), Buffer.of(byte), Buffer.from('\r\n')]))
    await new Promise(setImmediate)
  }
  socket.write('0\r\n\r\n')
  await once(socket, 'close')
  expect(answer, 'it was read, and no workspace of the user').toMatch(/^HTTP\/1.1 403/)
})

// Seen red where each chunk was kept: 400 bytes for one.
it('keeps no chunk as it came', { timeout: 60_000 }, async () => {
  const { origin } = await serveRoutes()
  const socket = connect(Number(new URL(origin).port), '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  socket.write('POST /api/sync/push HTTP/1.1\r\nhost: x\r\nx-user: ann\r\ntransfer-encoding: chunked\r\n\r\n')
  await once(socket, 'connect')
  const chunks = Buffer.from('1\r\n \r\n'.repeat(10_000))
  const send = async (times: number) => {
    for (let index = 0; index < times; index++) if (!socket.write(chunks)) await once(socket, 'drain')
    await sleep(200)
  }
  await send(10)
  const before = process.memoryUsage().rss
  await send(100)
  expect((process.memoryUsage().rss - before) / 2 ** 20).toBeLessThan(150)
})

it('says of a body what is wrong with its bytes', async () => {
  const { post } = await serveRoutes()
  expect(await post('push', '{}', { 'content-encoding': 'gzip' })).toMatchObject({ status: 415, body: { data: { code: 'UNSUPPORTED_ENCODING' } } })
  expect(await post('push', '{}', { 'content-encoding': 'identity' })).toMatchObject({ status: 400, body: { message: expect.stringContaining('workspaceId') } })
  expect(await post('push', Buffer.from('{"a":"\xff"}', 'latin1'))).toMatchObject({ status: 400, body: { message: expect.stringContaining('UTF-8') } })
  expect((await post('pull', ' '.repeat(65_537))).status, 'only a push is large').toBe(413)
  expect((await post('push', ' '.repeat(65_537))).status).toBe(400)
})

// Seen red where each was looked at first: some seconds, and a gigabyte.
it('counts the ops before it looks at one', async () => {
  const adapter = adapterOf(await openTestDatabase())
  const ops = Array.from({ length: 400_000 }, () => ({})) as never[]
  const startedAt = performance.now()
  await expect(adapter.push(event, { scope, ops })).rejects.toMatchObject({ statusCode: 400, message: expect.stringContaining('at most 1000') })
  expect(performance.now() - startedAt).toBeLessThan(500)
  await expect(adapter.push(event, null as never)).rejects.toMatchObject({ statusCode: 400 })
})
