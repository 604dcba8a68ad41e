/**
 * Every route about users and workspaces × every wrong identity (promise T13): the answer holds nothing of the other
 * tenant, is the same for an id that exists and one that does not, and changes nothing.
 * Seen red: the user taken out of `isMembership`, the deletion check out of `isLivingWorkspaceOfMember`,
 * the workspace out of the look-ups of `revokeInvite` and `judgeInvite`, the address check out of `judgeInvite`,
 * the role check out of `setMemberRole` and `GET …/invites`, a 403 in place of the stranger's 404.
 */
import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import type { SyncDatabase } from '../../../server/db/open.ts'
import { expectInvariants } from './invariants.ts'
import { routeNames, serveAuthRoutes, type Answer } from './serve.ts'

const MARKER = 'secret-of-b'
const UNKNOWN = '00000000-0000-4000-8000-000000000000'

/** Their addresses hold the marker too. */
const OWNER = `owner-with-${MARKER}`
const INVITED = `invited-with-${MARKER}`

interface Ids { workspaceId: string, userId: string, inviteId: string, token: string }
interface Probe {
  route: string
  path: (ids: Ids) => string
  body?: (ids: Ids) => unknown
  lowest: 'viewer' | 'editor' | 'owner'
}

/** Each route that names a workspace, with the lowest role that may. */
const probes: Probe[] = [
  probe('PATCH /api/workspaces/:id', 'editor', () => ({ name: 'taken over' })),
  probe('DELETE /api/workspaces/:id', 'owner'),
  probe('POST /api/workspaces/active', 'viewer', ids => ({ id: ids.workspaceId })),
  probe('GET /api/workspaces/:id/members', 'viewer'),
  probe('PATCH /api/workspaces/:id/members/:userId', 'owner', () => ({ role: 'viewer' })),
  probe('DELETE /api/workspaces/:id/members/:userId', 'owner'),
  probe('GET /api/workspaces/:id/invites', 'editor'),
  probe('POST /api/workspaces/:id/invites', 'editor', () => ({ email: 'ann@example.org', role: 'viewer' })),
  probe('DELETE /api/workspaces/:id/invites/:inviteId', 'editor'),
]

const withoutWorkspace = [
  'GET /api/auth/session', 'GET /api/workspaces', 'POST /api/workspaces', 'POST /api/invites/accept',
]

it('every route is probed', () => {
  expect([...probes.map(({ route }) => route), ...withoutWorkspace].sort()).toEqual([...routeNames].sort())
})

describe.each(probes)('$route', ({ route, path, body, lowest }) => {
  const send = (world: World, as: string | undefined, ids: Ids) => world.call(path(ids), { as, body: body?.(ids) })

  it('answers 401 to nobody', async () => {
    const world = await createWorld()
    await expectUnchanged(world.database, async () => {
      const answer = await send(world, undefined, world.b)
      expect(answer).toMatchObject({ status: 401, body: { data: { code: 'UNAUTHENTICATED' } } })
      expectNoHint(answer)
    })
  })

  it.each(['stranger', 'removed'])('answers the %s as if there were no such workspace', async (as) => {
    const world = await createWorld()
    await expectUnchanged(world.database, async () => {
      const answer = await send(world, as, world.b)
      expect(answer).toMatchObject({ status: 404, body: { message: 'No such workspace.' } })
      expectNoHint(answer)
      expectSame(answer, await send(world, as, { ...world.b, workspaceId: UNKNOWN }))
    })
  })

  it('answers the members of a deleted workspace, owner or not, as if it had never been', async () => {
    const world = await createWorld()
    await world.call(`DELETE /api/workspaces/${world.b.workspaceId}`, { as: OWNER })
    await expectUnchanged(world.database, async () => {
      for (const as of [OWNER, 'editor', 'viewer']) {
        const answer = await send(world, as, world.b)
        expect(answer.status).toBe(404)
        expectNoHint(answer)
        expectSame(answer, await send(world, as, { ...world.b, workspaceId: UNKNOWN }))
      }
    })
  })

  const lower = { owner: ['viewer', 'editor'], editor: ['viewer'], viewer: [] }[lowest]
  if (lower.length > 0) it('answers 403 to a lower role', async () => {
    const world = await createWorld()
    await expectUnchanged(world.database, async () => {
      for (const as of lower) {
        const answer = await send(world, as, world.b)
        expect(answer).toMatchObject({ status: 403, body: { data: { code: 'FORBIDDEN' } } })
        expectNoHint(answer)
      }
    })
  })

  if (/:userId|:inviteId/.test(route)) it('finds nothing of another workspace under the caller\'s own', async () => {
    const world = await createWorld()
    await expectUnchanged(world.database, async () => {
      const swapped = { ...world.b, workspaceId: world.a.workspaceId }
      const answer = await send(world, 'stranger', swapped)
      expect(answer.status).toBe(404)
      expectNoHint(answer)
      expectSame(answer, await send(world, 'stranger', { ...swapped, userId: UNKNOWN, inviteId: UNKNOWN }))
    })
  })
})

describe('routes that name no workspace', () => {
  it('answer 401 to nobody, and the session route null', async () => {
    const world = await createWorld()
    await expectUnchanged(world.database, async () => {
      const body = { name: 'W', token: world.b.token }
      for (const route of withoutWorkspace.slice(1)) {
        const answer = await world.call(route, { body: route.startsWith('GET') ? undefined : body })
        expect(answer).toMatchObject({ status: 401 })
      }
      expect((await world.call('GET /api/auth/session')).body).toEqual({ session: null })
    })
  })

  it.each(['stranger', 'removed'])('show the %s nothing of the other tenant', async (as) => {
    const world = await createWorld()
    expectNoHint(await world.call('GET /api/workspaces', { as }))
    expectNoHint(await world.call('GET /api/auth/session', { as }))
    expectNoHint(await world.call('POST /api/workspaces', { as, body: { name: 'W' } }))
    await expectInvariants(world.database)
  })

  it('answer a token for another address like one that never was, whatever the workspace', async () => {
    const world = await createWorld()
    await expectUnchanged(world.database, async () => {
      const accept = (token: string) => world.call('POST /api/invites/accept', { as: 'stranger', body: { token } })
      const answer = await accept(world.b.token)
      expect(answer.status).toBe(404)
      expectNoHint(answer)
      const secret = world.b.token.slice(world.b.token.lastIndexOf('.') + 1)
      expectSame(answer, await accept(`${world.b.workspaceId}.${'x'.repeat(secret.length)}`))
      expectSame(answer, await accept(`${UNKNOWN}.${secret}`))
      expectSame(answer, await accept(`${world.a.workspaceId}.${secret}`))
      // The right address does not help where the token is another workspace's.
      const swapped = { as: INVITED, body: { token: `${world.a.workspaceId}.${secret}` } }
      expectSame(answer, await world.call('POST /api/invites/accept', swapped))
    })
  })
})

type World = Awaited<ReturnType<typeof createWorld>>

/**
 * Tenant A is the stranger's. Tenant B has an owner, an editor, a viewer, one who was removed, and an invite; every
 * text of it holds the marker.
 */
async function createWorld() {
  const { call, database, meet, store } = await serveAuthRoutes()
  const a = await meet('stranger')
  const owner = await meet(OWNER)
  const { workspaceId } = await store.createWorkspace({ userId: owner.userId, name: MARKER, description: MARKER })
  await call('POST /api/workspaces/active', { as: OWNER, body: { id: workspaceId } })
  const invites = `/api/workspaces/${workspaceId}/invites`
  for (const role of ['editor', 'viewer', 'removed']) {
    const { userId } = await meet(role)
    const body = { email: `${role}@example.org`, role: role === 'removed' ? 'editor' : role }
    const { body: { token } } = await call<{ token: string }>(`POST ${invites}`, { as: OWNER, body })
    await call('POST /api/invites/accept', { as: role, body: { token } })
    await call('POST /api/workspaces/active', { as: role, body: { id: workspaceId } })
    if (role === 'removed') await call(`DELETE /api/workspaces/${workspaceId}/members/${userId}`, { as: OWNER })
  }
  const body = { email: `${INVITED}@example.org`, role: 'owner' }
  const invited = await call<{ id: string, token: string }>(`POST ${invites}`, { as: OWNER, body })
  const b: Ids = { workspaceId, userId: owner.userId, inviteId: invited.body.id, token: invited.body.token }
  await expectInvariants(database)
  return { call, database, a, b }
}

function probe(route: string, lowest: Probe['lowest'], body?: Probe['body']): Probe {
  const path = ({ workspaceId, userId, inviteId }: Ids) =>
    route.replace(':id', workspaceId).replace(':userId', userId).replace(':inviteId', inviteId)
  return { route, path, body, lowest }
}

function expectNoHint(answer: Answer): void {
  expect(answer.status).toBeLessThan(500)
  expect(answer.text).not.toContain(MARKER)
}

function expectSame(one: Answer, other: Answer): void {
  const visible = ({ status, text, headers }: Answer) => ({
    status, text, headers: [...headers].filter(([name]) => name !== 'date'),
  })
  expect(visible(one)).toEqual(visible(other))
}

/** Nothing in the database differs after the probes, down to the last row. */
async function expectUnchanged(database: SyncDatabase, probing: () => Promise<void>): Promise<void> {
  const dump = () => Promise.all(['users', 'auth_accounts', 'workspaces', 'workspace_members', 'invites'].map(
    table => database.read.all(sql`select * from ${sql.identifier(table)} order by 1, 2`),
  ))
  const before = await dump()
  await probing()
  expect(await dump()).toEqual(before)
}
