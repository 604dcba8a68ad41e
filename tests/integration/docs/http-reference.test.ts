/**
 * docs/http-reference.md and docs/openapi.json against the routes. Seen red: a route that the table lacks, an answer with
 * a field more, a required field that the server does not want, a code that no route sends.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { makeHttpReference, makeOpenApi, toSchema } from '../../../docs/make-http-reference.ts'
import { type RouteDescription, routes } from '../../../docs/routes.ts'
import { errorKinds } from '../../../shared/error-codes.ts'
import { requestsPerMinute } from '../../../shared/limits.ts'
import { putOf } from '../../helpers/sync.ts'
import { serveRoutes } from '../../helpers/http-server.ts'

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')
const nameOf = ({ method, path }: Pick<RouteDescription, 'method' | 'path'>) => `${method} ${path}`

/** Not served here, or without an end; tests/unit/live and tests/unit/operations ask for them. */
const elsewhere = ['GET /api/health', 'HEAD /api/health', 'GET /api/metrics', 'GET /api/sync/live']

it('has every route that there is, and no other', () => {
  const files = readdirSync(new URL('../../../server/api', import.meta.url), { recursive: true, encoding: 'utf8' })
  const served = files.filter(file => /\.\w+\.ts$/.test(file)).map((file) => {
    const [, path, method] = /^(.+?)(?:\/index)?\.(\w+)\.ts$/.exec(file)!
    return `${method!.toUpperCase()} /api/${path!.replaceAll(/\[(\w+)\]/g, ':$1')}`
  })
  expect(routes.map(nameOf).sort()).toEqual(served.sort())
})

it('is made from the table as it is', () => {
  expect(read('docs/http-reference.md')).toBe(makeHttpReference())
  expect(read('docs/openapi.json')).toBe(makeOpenApi())
})

it('names limits and codes that there are', () => {
  for (const { limit, codes } of routes) {
    if (limit !== undefined) expect(Object.keys(requestsPerMinute)).toContain(limit)
    for (const code of codes) expect(Object.keys(errorKinds)).toContain(code)
  }
})

describe.each(routes.filter(route => !elsewhere.includes(nameOf(route))))('$method $path', (route) => {
  it('takes the body that is written, and answers what is written', async () => {
    const world = await createRightRequests()
    const { status, body } = await world.send(route)
    expect([status, body]).toEqual([200, expect.anything()])
    route.answer.parse(body)
  })

  if (route.body) it('refuses a body without a field that is required', async () => {
    const world = await createRightRequests()
    const required = toSchema(route.body!).required ?? []
    expect(required.length).toBeGreaterThan(0)
    for (const field of required) {
      const { [field]: missing, ...rest } = world.bodyOf(route)
      const answer = await world.send(route, rest)
      expect([field, missing !== undefined, answer.status]).toEqual([field, true, 400])
    }
  })

  if (route.who === 'owner' || route.who === 'editor') it('refuses a lower role with a code that is written', async () => {
    const world = await createRightRequests()
    const answer = await world.send(route, undefined, route.who === 'owner' ? 'editor' : 'viewer')
    const { data: { code } } = answer.body as { data: { code: keyof typeof errorKinds } }
    // The writer asks for another member than itself, which an owner may.
    expect([answer.status, route.codes.includes(code)]).toEqual([403, true])
  })

  if (route.who === 'signed in') it('refuses nobody', async () => {
    const world = await createRightRequests()
    expect((await world.send(route, undefined, undefined)).status).toBe(route.who === 'signed in' ? 401 : 200)
  })
})

/** A workspace of ann's with an editor and a viewer, an invite and a link; and a right request for each route. */
async function createRightRequests() {
  const { call, meet } = await serveRoutes()
  const { userId, workspaceId } = await meet('ann')
  const at = `/api/workspaces/${workspaceId}`
  const make = async (what: string, body: object) => (await call<{ id: string, token: string }>(`POST ${at}/${what}`, { as: 'ann', body })).body
  for (const role of ['editor', 'viewer']) {
    await call('POST /api/invites/accept', { as: role, body: { token: (await make('invite-links', { role })).token } })
  }
  const { userId: memberId } = await meet('viewer')
  const invite = await make('invites', { email: 'new@example.org', role: 'viewer' })
  const link = await make('invite-links', { role: 'viewer' })
  const scope = { workspaceId }
  await call('POST /api/sync/push', { as: 'ann', body: { scope, ops: [putOf('a'), putOf('b')] } })

  const bodies: Record<string, object> = {
    'POST /api/sync/push': { scope, ops: [putOf('c'), putOf('bad', { payload: {} })] },
    'POST /api/sync/pull': { scope, cursor: 0 },
    'POST /api/sync/snapshot': { scope, pageSize: 1 },
    'POST /api/sync/update-cursor': { scope, deviceId: 'd', version: 1 },
    'POST /api/sync/gc-change-log': { scope, retentionSeconds: 3600 },
    'POST /api/sync/gc-tombstones': { scope, retentionSeconds: 3600 },
    'POST /api/workspaces': { name: 'New' },
    'POST /api/workspaces/active': { id: workspaceId },
    'PATCH /api/workspaces/:id': { name: 'Renamed' },
    'PATCH /api/workspaces/:id/members/:userId': { role: 'viewer' },
    'POST /api/workspaces/:id/invites': { email: 'x@example.org', role: 'viewer' },
    'POST /api/workspaces/:id/invite-links': { role: 'viewer' },
    'POST /api/invites/accept': { token: link.token },
  }
  const bodyOf = (route: RouteDescription) => bodies[nameOf(route)] as Record<string, unknown>
  const send = (route: RouteDescription, body: object | undefined = bodyOf(route), ...as: [(string | undefined)?]) => {
    const path = route.path.replace(':id', workspaceId).replace(':userId', memberId)
      .replace(':inviteId', invite.id).replace(':linkId', link.id)
    return call(`${route.method} ${path}`, { as: as.length > 0 ? as[0] : 'ann', body: route.body ? body : undefined })
  }
  return { send, bodyOf, userId }
}

it('describes bodies by a schema that takes what the server takes', () => {
  const { properties, required } = toSchema(routes.find(route => route.path.endsWith('/pull'))!.body!)
  expect(required).toEqual(['scope', 'cursor'])
  expect(properties!['limit']).toMatchObject({ type: 'integer', minimum: 1, maximum: 1000, default: 100 })
  expect(() => z.object({}).parse(JSON.parse(makeOpenApi()))).not.toThrow()
})
