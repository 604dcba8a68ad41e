/** Large pushes: ops are parsed one by one, and what is not worth parsing is refused while it comes. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import process from 'node:process'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseInParts } from '../../../server/http/parted-json.ts'
import { createJsonScan } from '../../../server/lib/json-scan.ts'
import { oversizedPayload } from '../../../server/sync/push/validate.ts'
import { putOf } from '../../helpers/sync.ts'
import { serveRoutes } from '../../helpers/http-server.ts'

function parse(text: string, maxOps = 1_000): unknown {
  const body = Buffer.from(text)
  const scan = createJsonScan(maxOps)
  for (let to = 0; to <= body.length; to += 7) scan.feed(body, to)
  scan.feed(body, body.length)
  const value = parseInParts(body, scan.ops, work => work()) as { ops?: unknown }
  return Array.isArray(value?.ops) ? { ...value, ops: value.ops.map((op: unknown) => typeof op === 'function' ? op() as unknown : op) } : value
}

// Seen red with a brace in a string taken for one of the structure.
it('gives what JSON.parse gives, in pieces of any size', () => {
  const op = fc.dictionary(fc.string(), fc.jsonValue())
  const body = fc.record({ scope: fc.jsonValue(), ops: fc.array(fc.oneof(op, fc.jsonValue())), more: fc.jsonValue() }, { requiredKeys: [] })
  fc.assert(fc.property(body, fc.integer({ min: 0, max: 2 }), (value, space) => {
    const text = JSON.stringify(value, null, space)
    expect(parse(text)).toEqual(JSON.parse(text))
  }))
})

it('refuses what is no JSON, wherever it is wrong', () => {
  for (const text of ['{"ops":[{}', '{"ops":[{"a":}]}', '{"ops":[{} {}]}', '{"ops":[{]]}', '{"a":tru,"ops":[{}]}', '}{', '{"ops":[{"a":"\\x"}]}']) {
    expect(() => parse(text)).toThrow(SyntaxError)
  }
})

it('refuses depth, values beside payloads and too many ops while they come, and marks a payload of too many values', () => {
  expect(() => parse(`{"x":${'['.repeat(20_000)}`)).toThrow(/deeper than 10000/)
  // Seen red with no bound of the scan's own: the parser has one too, when all has come.
  expect(() => createJsonScan(1).feed(Buffer.from('['.repeat(20_000)), 20_000)).toThrow(/deeper than 10000/)
  expect(() => parse(`{"ops":[{"junk":[${'{},'.repeat(100_000)}{}]}]}`)).toThrow(/values outside/)
  expect(() => parse(`{"ops":[{},{},{}]}`, 2)).toThrow(/at most 2/)
  expect(() => parse('{"ops":[{"payload":1,"payload":2}]}')).toThrow(/two payloads/)
  const ops = `{"pk":"a","payload":[${'[],'.repeat(300_000)}[]],"tableName":"t"},{"pk":"b","payload":{"a":[]}}`
  expect(parse(`{"ops":[${ops}]}`)).toEqual({ ops: [{ pk: 'a', payload: oversizedPayload, tableName: 't' }, { pk: 'b', payload: { a: [] } }] })
})

// Seen red before: the loop stood for two seconds, three on the way back.
it('does not hold the loop for 50 ops of 250 KiB of nested arrays, nor for their way back', { timeout: 120_000 }, async () => {
  const { origin, meet } = await serveRoutes()
  const scope = { workspaceId: (await meet('ann')).workspaceId }
  const nested = JSON.parse(`[${'[],'.repeat(80_000)}[]]`) as unknown
  const makeOps = () => Array.from({ length: 50 }, () => {
    const op = putOf(randomUUID())
    return { ...op, payload: { ...op.payload as object, data: nested } }
  })
  const requests: [string, () => object][] = [
    ['push', () => ({ ops: makeOps() })], ['snapshot', () => ({ pageSize: 1_000 })], ['pull', () => ({ cursor: 0, limit: 1_000 })],
  ]
  for (const [route, make] of requests) {
    let longestMs = Infinity
    // A machine that has much else to do makes a turn longer; what is the server's own doing comes with every try.
    for (let tries = 0; tries < 4 && longestMs >= 100; tries++) {
      const body = Buffer.from(JSON.stringify({ scope, ...make() }))
      const turns = watchTurns()
      expect(await sendInPieces(`${origin}/api/sync/${route}`, body), route).toBe(200)
      longestMs = Math.min(longestMs, turns.stop())
    }
    expect(longestMs, route).toBeLessThan(100)
  }
})

/** Answers the status. `fetch` would copy the body, and parse the answer, in this process and so in the server's turns. */
async function sendInPieces(url: string, body: Buffer): Promise<number> {
  const sending = request(url, { method: 'POST', headers: { 'x-user': 'ann', 'content-length': body.length } })
  for (let from = 0; from < body.length; from += 65_536) {
    if (!sending.write(body.subarray(from, from + 65_536))) await once(sending, 'drain')
  }
  const [response] = await once(sending.end(), 'response') as [IncomingMessage]
  await once(response.resume(), 'end')
  return response.statusCode!
}

/** The longest turn of the loop, in milliseconds of this thread's processor: other work on the machine does not count. */
function watchTurns() {
  let longest = 0
  let last = process.threadCpuUsage()
  let isOn = true
  const turn = () => {
    const { user, system } = process.threadCpuUsage(last)
    last = process.threadCpuUsage()
    longest = Math.max(longest, (user + system) / 1000)
    if (isOn) setImmediate(turn)
  }
  setImmediate(turn)
  return {
    stop() {
      isOn = false
      return longest
    },
  }
}

it('answers each op of a large push as one of a small', { timeout: 60_000 }, async () => {
  const { post, meet } = await serveRoutes()
  const scope = { workspaceId: (await meet('ann')).workspaceId }
  const large = putOf('large')
  const wide = putOf('wide')
  const ops = [
    { ...large, payload: { ...large.payload as object, data: 'x'.repeat(255_000) } },
    { ...wide, payload: { ...wide.payload as object, data: Array.from({ length: 300_000 }, () => []) } },
    putOf('small'),
  ]
  const { status, body } = await post('push', { scope, ops })
  expect({ status, results: body['results'] }).toMatchObject({
    status: 200, results: [{ success: true }, { success: false, errorCode: 'OVERSIZED' }, { success: true }],
  })
  const wrong = await post('push', { scope, ops: [...ops, { pk: 1 }] })
  expect(wrong).toMatchObject({ status: 400, body: { message: expect.stringMatching(/ops\.3\./) } })
})
