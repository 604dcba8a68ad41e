/**
 * Every route about users and workspaces × every wrong identity (promise T13): the answer holds nothing of the other
 * tenant, is the same for an id that exists and one that does not, and changes nothing.
 * Seen red: the user taken out of `isMembership`, the deletion check out of `isLivingWorkspaceOfMember`,
 * the workspace out of the look-ups of `revokeInvite` and `judgeInvite`, the address check out of `judgeInvite`,
 * the role check out of `setMemberRole` and `GET …/invites`, a 403 in place of the stranger's 404.
 */
import { describe, expect, it } from 'vitest'
import { expectInvariants } from '../../unit/auth/invariants.ts'
import { routeNames } from '../../helpers/http-server.ts'
import {
  createWorld, expectNoHint, expectSame, expectUnchanged, type Ids, INVITED, OWNER, UNKNOWN, type World,
} from './two-tenants.ts'

interface Probe {
  route: string
  path: (ids: Ids) => string
  body?: ((ids: Ids) => unknown) | undefined
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
  probe('GET /api/workspaces/:id/invite-links', 'editor'),
  probe('POST /api/workspaces/:id/invite-links', 'editor', () => ({ role: 'viewer' })),
  probe('DELETE /api/workspaces/:id/invite-links/:linkId', 'editor'),
]

const withoutWorkspace = [
  'GET /api/auth/session', 'GET /api/workspaces', 'POST /api/workspaces', 'POST /api/invites/accept',
]

it('every route is probed', () => {
  const ours = routeNames.filter(name => !name.includes('/api/sync/'))
  expect([...probes.map(({ route }) => route), ...withoutWorkspace].sort()).toEqual(ours.sort())
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

  if (/:userId|:inviteId|:linkId/.test(route)) it('finds nothing of another workspace under the caller\'s own', async () => {
    const world = await createWorld()
    await expectUnchanged(world.database, async () => {
      const swapped = { ...world.b, workspaceId: world.a.workspaceId }
      const answer = await send(world, 'stranger', swapped)
      expect(answer.status).toBe(404)
      expectNoHint(answer)
      expectSame(answer, await send(world, 'stranger', { ...swapped, userId: UNKNOWN, inviteId: UNKNOWN, linkId: UNKNOWN }))
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
      const link = world.b.linkToken.slice(world.b.linkToken.lastIndexOf('.') + 1)
      expectSame(answer, await accept(`${world.a.workspaceId}.${link}`))
      const swapped = { as: INVITED, body: { token: `${world.a.workspaceId}.${secret}` } }
      expectSame(answer, await world.call('POST /api/invites/accept', swapped))
    })
  })
})

function probe(route: string, lowest: Probe['lowest'], body?: Probe['body']): Probe {
  const path = ({ workspaceId, userId, inviteId, linkId }: Ids) =>
    route.replace(':id', workspaceId).replace(':userId', userId).replace(':inviteId', inviteId).replace(':linkId', linkId)
  return { route, path, body, lowest }
}
