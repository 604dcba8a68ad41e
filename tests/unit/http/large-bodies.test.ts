/** Large pushes: ops are parsed one by one, and what is not worth parsing is refused while it comes. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseInParts } from '../../../server/http/parted-json.ts'
import { createJsonScan } from '../../../server/lib/json-scan.ts'
import { oversizedPayload } from '../../../server/sync/push/validate.ts'
import { watchLoop } from '../../helpers/loop-watch.ts'
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
  expect(() => parse(`{"ops":[{"junk":[${'{},'.repeat(100_000)}{}]}]}`)).toThrow(/values outside/)
  expect(() => parse(`{"ops":[{},{},{}]}`, 2)).toThrow(/at most 2/)
  expect(() => parse('{"ops":[{"payload":1,"payload":2}]}')).toThrow(/two payloads/)
  const ops = `{"pk":"a","payload":[${'[],'.repeat(300_000)}[]],"tableName":"t"},{"pk":"b","payload":{"a":[]}}`
  expect(parse(`{"ops":[${ops}]}`)).toEqual({ ops: [{ pk: 'a', payload: oversizedPayload, tableName: 't' }, { pk: 'b', payload: { a: [] } }] })
})

// Seen red before: the loop stood for two seconds, three on the way back.
it('does not hold the loop for 50 ops of 250 KiB of nested arrays, nor for their way back', { timeout: 120_000 }, async () => {
  const { post, meet } = await serveRoutes()
  const scope = { workspaceId: (await meet('ann')).workspaceId }
  const nested = JSON.parse(`[${'[],'.repeat(80_000)}[]]`) as unknown
  const ops = Array.from({ length: 50 }, (_, index) => {
    const op = putOf(`n${index}`)
    return { ...op, payload: { ...op.payload as object, data: nested } }
  })
  const body = Buffer.from(JSON.stringify({ scope, ops }))
  const idle = watchLoop()
  await new Promise(resolve => setTimeout(resolve, 2_000))
  const usual = idle.stop()
  // A connection that has been idle for too long is no matter of this test.
  await meet('ann')
  const loop = watchLoop()
  const { status, body: answer } = await post('push', body)
  expect([status, answer['serverVersion']]).toEqual([200, 50])
  // Other work on the machine stops the loop too, and this process parses the answer.
  expect(loop.stop()).toBeLessThan(150 + 3 * usual)
  const read = watchLoop()
  expect((await post('snapshot', { scope, pageSize: 4 })).status).toBe(200)
  expect(read.stop()).toBeLessThan(150 + 3 * usual)
})

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
