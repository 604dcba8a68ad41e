/**
 * Whatever somebody signed in sends to whatever route (promise T12): a refusal that says what is wrong, never a 5xx,
 * never the driver's words, and nothing of the database's invariants is lost. A failure prints what was sent.
 * Seen red: an error of the JSON parser passed on, payloads of any depth taken, texts whose shape is not piped.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { putOf } from '../../helpers/sync.ts'
import { expectInvariants } from '../../unit/auth/invariants.ts'
import { type Answer, driverText, routeNames, serveRoutes } from '../../helpers/http-server.ts'

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 40)

/** Values that have broken a server somewhere. */
const nasty = fc.constantFrom<unknown>(
  { toString: null },
  null, true, 0, -0, -1, 1.5, 2 ** 53 - 1, 2 ** 53 + 2, -(2 ** 63), 1e308,
  '', ' ', '\0', 'a\0b', '\uD800', '\uDFFF\uD800', '__proto__', 'constructor', 'toString',
  '../..', '%00', '\'; drop table users; --', '$1', '{{x}}',
  '\u202E', '💥'.repeat(300), 'x'.repeat(5_000), [], [[]], {}, [null], { then: 1 }, { toString: 1 },
)
const key = fc.constantFrom(
  '__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'toJSON', 'length', '', '\0', '\uD800', 'id', 'name',
)
const value = fc.oneof({ weight: 3, arbitrary: nasty }, fc.jsonValue({ maxDepth: 4 }), fc.dictionary(key, nasty), fc.array(nasty, { maxLength: 5 }))

const rightOp = putOf('pk')
/** What each field of a body is for a route that takes it. */
const rightFields = {
  name: 'W', description: 'd', id: 'id', email: 'eve@example.org', role: 'viewer', expiresInSeconds: 3600, token: `id.${'a'.repeat(43)}`,
  cursor: 0, limit: 10, tables: ['messages'], pageSize: 10, pageToken: 'a.b.c', deviceId: 'd', version: 0, retentionSeconds: 3600, ops: [rightOp],
}

/** A right body with some of its fields replaced, an op with some of its own, or no such thing at all. */
const bodies = (workspaceId: string) => {
  const right = { scope: { workspaceId }, ...rightFields }
  const replaced = fc.dictionary(fc.constantFrom(...Object.keys(rightFields), 'scope', '__proto__'), value, { minKeys: 1, maxKeys: 3 })
  const op = fc.dictionary(fc.constantFrom(...Object.keys(rightOp), 'stamp', 'payload'), value, { maxKeys: 3 })
  const stamp = fc.dictionary(fc.constantFrom(...Object.keys(rightOp.stamp)), value, { maxKeys: 2 })
  const payload = fc.dictionary(fc.oneof(key, fc.constantFrom('index', 'data', 'workspace_id', 'clock')), value)
  return fc.oneof(
    replaced.map(fields => JSON.stringify({ ...right, ...fields })),
    fc.record({ op, stamp, payload }).map(all => JSON.stringify({
      ...right, ops: [{
        ...rightOp, payload: { ...rightOp.payload as object, ...all.payload }, stamp: { ...rightOp.stamp, ...all.stamp }, ...all.op,
      }],
    })),
    value.map(any => JSON.stringify(any)),
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.uint8Array({ maxLength: 200 }),
  )
}

const deep = (text: string, times: number) => `${text.repeat(times)}1${(text.startsWith('[') ? ']' : '}').repeat(times)}`
const number = (text: string) => `{"scope":{"workspaceId":"W"},"name":${text},"cursor":${text},"limit":${text},"version":${text},"deviceId":"d","retentionSeconds":${text},"pageSize":${text},"expiresInSeconds":${text}}`

/** What no generator comes upon. `W` stands for the own workspace. */
const texts: Record<string, string> = {
  'nothing': '', 'white space': ' \n', 'a word': 'undefined', 'half an object': '{"name":', 'two objects': '{}{}', 'a byte order mark': '\uFEFF{}',
  'arrays in arrays': deep('[', 10_000), 'arrays in arrays, very deep': deep('[', 200_000), 'objects in objects': deep('{"a":', 10_000),
  'a deep payload': JSON.stringify({
    scope: { workspaceId: 'W' }, ops: [putOf('beside it'), { ...rightOp, payload: { ...rightOp.payload as object, data: '@' } }],
  }).replace('"@"', deep('{"a":', 3_000)),
  'a deep name': `{"name":${deep('[', 5_000)}}`,
  '1e309': number('1e309'), '-1e309': number('-1e309'), '2^53+1': number('9007199254740993'), 'twenty digits': number('12345678901234567890'),
  'twenty decimals': number('1.00000000000000000001'), 'a long number': number('9'.repeat(40_000)),
  'a long name': JSON.stringify({ name: 'x'.repeat(2 ** 20) }),
  'many keys': JSON.stringify(Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`k${n}`, n]))),
  'many ops': JSON.stringify({ scope: { workspaceId: 'W' }, ops: Array.from({ length: 1_001 }, () => ({ ...rightOp, payload: null })) }),
}

it.each(routeNames.filter(name => !name.startsWith('GET')))('%s refuses the bodies it cannot take', async (route) => {
  const { call, meet, send, check, workspaceId, database } = await serveFuzzed(route)
  for (const [name, text] of Object.entries(texts)) check(name, await send(text.replaceAll('"W"', JSON.stringify(workspaceId))))
  await fc.assert(fc.asyncProperty(bodies(workspaceId), async body => check(body, await send(body))), { numRuns: RUNS })
  await expectInvariants(database)
  // Whatever was taken can be read again.
  const scope = { workspaceId: (await meet('ann')).workspaceId }
  for (const page of ['pull', 'snapshot']) {
    const answer = await call(`POST /api/sync/${page}`, { as: 'ann', body: { scope, cursor: 0, limit: 1000, pageSize: 1000 } })
    expect([page, answer.status, answer.text.isWellFormed()]).toEqual([page, 200, true])
  }
}, 120_000)

it.each([
  ['POST /api/workspaces', 'name'], ['POST /api/workspaces', 'description'], ['PATCH /api/workspaces/:id', 'name'], ['POST /api/workspaces/active', 'id'],
  ['POST /api/workspaces/:id/invites', 'email'], ['POST /api/invites/accept', 'token'],
])('%s refuses a %s whose length is no number', async (route, field) => {
  const { send } = await serveFuzzed(route)
  const answer = await send(JSON.stringify({ ...rightFields, [field]: { length: { toString: null } } }))
  expect(answer).toMatchObject({ status: 400, body: { message: expect.stringContaining(`${field}: `) } })
})

it.each(routeNames.filter(name => name.includes('/:')))('%s finds nothing under an id that cannot be', async (route) => {
  const { call, check, workspaceId } = await serveFuzzed(route)
  const last = route.match(/:\w+/g)!.at(-1)!
  const segment = fc.oneof(
    fc.constantFrom('%00', 'a%00b', '%ED%A0%80', '%', '%zz', '%c0%ae', '..%2f..', '__proto__', 'constructor', '%20', 'x'.repeat(1_000), '💥'),
    fc.string({ unit: 'binary' }).map(text => encodeURIComponent(text.toWellFormed())),
    fc.string(),
  ).filter(text => !/^\.{0,2}$|[/?#\\\s]/.test(text))
  await fc.assert(fc.asyncProperty(segment, fc.boolean(), async (id, everywhere) => {
    const path = everywhere ? route.replaceAll(/:\w+/g, () => id) : route.replace(last, () => id).replace(':id', workspaceId)
    const answer = await call(path, { as: 'ann', body: route.startsWith('GET') ? undefined : { name: 'W', role: 'viewer', email: 'e@x.y' } })
    check(id, answer)
    expect(answer.status).toBe(404)
  }), { numRuns: RUNS })
})

async function serveFuzzed(route: string) {
  const { call, meet, database } = await serveRoutes()
  const { userId, workspaceId } = await meet('ann')
  const path = route.replace(':id', workspaceId).replace(':userId', userId).replace(':inviteId', workspaceId)
  const send = (body: string | Uint8Array) => call(path, { as: 'ann', body })
  const check = (sent: unknown, { status, text }: Answer) => {
    expect([sent, status < 500, text.match(driverText)?.[0]]).toEqual([sent, true, undefined])
  }
  return { call, meet, send, check, workspaceId, database }
}
