/**
 * Whatever JSON a device sent comes back equal from the log, the snapshot and the receipt of who lost to it, and a
 * repeat of it is known. Seen red: `parseJson` as plain `JSON.parse`, its pattern narrowed to 19 digits, payloads
 * passed through SQLite's `json_remove`, and repeats compared by identity.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseJson } from '../../shared/parse-json.ts'
import type { PullResponse, PushBatch } from '../../shared/protocol.ts'
import { openTestDatabase } from '../helpers/database.ts'
import { eventOf, messageOf, pullAll, putOf, snapshotAll } from '../helpers/sync.ts'
import { runs, timeoutMs, withoutFlushes } from './scale.ts'
import { adapterOf, pullTextOf } from '../helpers/engine.ts'

/** Numbers as text, among them what no double holds. */
const numberText = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(value => JSON.stringify(value)),
  fc.constantFrom('1e21', '1E400', '-1e-400', '9007199254740993', '-9007199254740993', '0.1000000000000000055511151231257827', '-0', '0e5', '1.0', '123456789012345678901234567890'),
)
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(fc.constantFrom('\uD83D', '\uDE00', '\0', '\u2028', '"', '\\', '😀', '1e999', ',[1e5'), { maxLength: 5 }).map(parts => parts.join('')),
)
/**
 * JavaScript moves keys that are whole numbers to the front. After a key with a backslash V8 takes others for it, in the
 * whole process (https://github.com/nodejs/node/issues/63785).
 */
const key = text.filter(one => !/^\d+$|\\/.test(one))
const { json } = fc.letrec<{ json: string }>(tie => ({
  json: fc.oneof({ depthSize: 'small', withCrossShrink: true },
    fc.oneof(fc.constantFrom('null', 'true', 'false'), numberText, text.map(value => JSON.stringify(value))),
    fc.array(tie('json'), { maxLength: 4 }).map(items => `[${items.join()}]`),
    fc.dictionary(fc.oneof(key, fc.constantFrom('__proto__', 'constructor', 'index', 'a.b', '')), tie('json'), { maxKeys: 4 })
      .map(object => `{${Object.entries(object).map(([key, value]) => `${JSON.stringify(key)}:${value}`).join()}}`)),
}))

/** A JSON text with every string spelled as JavaScript does and every number as its exact decimal, by no parser of numbers. */
function readExactly(json: string): string {
  return json.replace(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, token => token.startsWith('"') ? JSON.stringify(JSON.parse(token)) : toDecimal(token))
}

function toDecimal(source: string): string {
  const [mantissa = '', exponent = '0'] = source.toLowerCase().split('e')
  const [whole = '', fraction = ''] = mantissa.split('.')
  let digits = BigInt(whole.replace('-', '') + fraction)
  if (digits === 0n) return '0'
  let power = Number(exponent) - fraction.length
  for (; digits % 10n === 0n; power++) digits /= 10n
  return `${source.startsWith('-') ? '-' : ''}${digits}e${power}`
}

it('gives every payload back as it was sent', { timeout: timeoutMs(60) }, async () => {
  const database = await openTestDatabase(withoutFlushes)
  const adapter = adapterOf(database)
  let count = 0
  await fc.assert(fc.asyncProperty(fc.array(json, { minLength: 1, maxLength: 5 }), async (datas) => {
    const workspace = `workspace-${++count}`
    const as = eventOf('user-1', workspace)
    const scope = { workspaceId: workspace }
    const payloads = datas.map((data, index) => `{"data":${data},${JSON.stringify(messageOf(`m${index}`, { data: undefined })).slice(1)}`)
    const sent = payloads.map((payload, index) => JSON.stringify({ ...putOf(`m${index}`, { stamp: { clock: 2 } }), payload: 'HERE' }).replace('"HERE"', () => payload))
    // As a body comes in, and as an answer goes out.
    const push = async (ops: readonly string[]) => adapter.push(as, parseJson(JSON.stringify({ scope }).replace(/}$/, `,"ops":[${ops.join()}]}`)) as PushBatch)
    const written = (value: unknown) => readExactly(JSON.stringify(value))
    const expected = payloads.map(readExactly)

    expect((await push(sent)).results.map(result => [result.success, result.replayed])).toEqual(sent.map(() => [true, undefined]))
    expect((await push(sent)).results.map(result => [result.success, result.replayed])).toEqual(sent.map(() => [true, true]))
    const losers = await push(datas.map((_, index) => JSON.stringify(putOf(`m${index}`))))
    const answers = {
      pulled: ((parseJson(await pullTextOf(database, as, { scope, cursor: 0 })) as PullResponse).changes).slice(0, datas.length).map(change => written(change.payload)),
      snapshot: (await snapshotAll(adapter, { as, workspace })).items.map(item => written(item.kind === 'row' && item.payload)),
      winners: losers.results.map(result => written(result.winner?.kind === 'put' && result.winner.payload)),
      payloads: losers.results.map(result => written(result.payload)),
    }
    expect(answers).toEqual({ pulled: expected, snapshot: expected, winners: expected, payloads: expected })
    // A caller in the process gets JavaScript's numbers.
    expect(JSON.stringify(await adapter.pull(as, { scope, cursor: 0 }))).toBe(JSON.stringify(JSON.parse(await pullTextOf(database, as, { scope, cursor: 0 }))))
  }), runs(300))
})

it('keeps a payload nested as deep as the limit', async () => {
  const database = await openTestDatabase()
  const adapter = adapterOf(database)
  const as = eventOf('user-1')
  const op = putOf('a', { payload: messageOf('a', { data: JSON.parse('['.repeat(255) + ']'.repeat(255)) }) })
  expect((await adapter.push(as, { scope: { workspaceId: 'workspace-1' }, ops: [op] })).results).toMatchObject([{ success: true }])
  expect((await pullAll(adapter)).changes[0]!.payload).toEqual(op.payload)
})

it('gives a page whose payloads together have more numbers that no double holds than a body may', async () => {
  const database = await openTestDatabase()
  const adapter = adapterOf(database)
  const numbers = parseJson(`[${Array.from({ length: 6_000 }, (_, index) => `90071992547409930${index}`).join()}]`)
  for (const pk of ['a', 'b']) await adapter.push(eventOf('user-1'), { scope: { workspaceId: 'workspace-1' }, ops: [putOf(pk, { payload: messageOf(pk, { data: numbers }) })] })
  const { items } = await snapshotAll(adapter, { pageSize: 2 })
  expect(items.map(item => item.kind === 'row' && JSON.stringify((item.payload as { data: unknown }).data))).toEqual([JSON.stringify(numbers), JSON.stringify(numbers)])
})
