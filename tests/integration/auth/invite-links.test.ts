/**
 * Invite links, and what accepting does. Seen red: the uses not counted, the expiry or the revocation not read, the
 * maker's role not read, a member's role raised by a link, a link that outlives a removal, the workspace not opened.
 */
import { expect, it } from 'vitest'
import { expectInvariants } from '../../unit/auth/invariants.ts'
import { nameWorkspace, namedAfterOwner, plainName } from '../../../server/workspaces/default-name.ts'
import { createAuthWorkspaceStore } from '../../../server/host/auth-store.ts'
import { startClock } from '../../contract/auth-store-helpers.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import { type SessionAnswer, serveRoutes } from '../../helpers/http-server.ts'

interface Link { id: string, token: string, maxUses: number, expiresAt: number }

async function start() {
  const server = await serveRoutes()
  const { call, meet } = server
  const { userId: ann, workspaceId } = await meet('ann')
  const links = `/api/workspaces/${workspaceId}/invite-links`
  const make = async (body: object = { role: 'editor' }, as = 'ann') => (await call<Link>(`POST ${links}`, { as, body })).body
  const accept = (as: string, { token }: Link) => call<{ workspaceId: string, role: string }>('POST /api/invites/accept', { as, body: { token } })
  const list = async () => (await call<{ links: Link[] }>(`GET ${links}`, { as: 'ann' })).body.links
  const session = async (as: string) => (await call<SessionAnswer>('GET /api/auth/session', { as })).body.session
  const setRole = (userId: string, role: string) =>
    call(`PATCH /api/workspaces/${workspaceId}/members/${userId}`, { as: 'ann', body: { role } })
  return { ...server, ann, workspaceId, links, make, accept, list, session, setRole }
}

it('lets in whoever has it, with its role, and opens the workspace for them', async () => {
  const { workspaceId, make, accept, session, meet, list, database } = await start()
  const own = await meet('bob')
  const link = await make({ role: 'editor', maxUses: 2 })
  expect(link).toEqual({ id: expect.any(String), token: expect.stringContaining(workspaceId), maxUses: 2, expiresAt: expect.any(Number) })
  expect(await accept('bob', link)).toMatchObject({ status: 200, body: { workspaceId, role: 'editor' } })
  expect(await session('bob')).toMatchObject({ workspace: { id: workspaceId }, role: 'editor' })
  expect((await session('bob')).workspace.id).not.toBe(own.workspaceId)
  // A newcomer gets no other workspace, and a member uses nothing up.
  expect((await accept('new', link)).status).toBe(200)
  expect(await session('new')).toMatchObject({ workspace: { id: workspaceId } })
  expect((await accept('bob', link)).status).toBe(200)
  const usedUp = await accept('late', link)
  expect(usedUp).toMatchObject({ status: 409, body: { message: 'This link has been used as often as it may be.' } })
  expect(await list()).toEqual([])
  await expectInvariants(database)
})

it('lets in no more than its uses, however many come at once', async () => {
  const { make, accept } = await start()
  const link = await make({ role: 'viewer', maxUses: 3 })
  const answers = await Promise.all(Array.from({ length: 10 }, (_, index) => accept(`guest${index}`, link)))
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, ...Array.from({ length: 7 }, () => 409)])
})

it('ends by its time, by revocation, and with its maker\'s right to it', async () => {
  const clock = startClock()
  const { call, links, make, accept, setRole, meet, list, workspaceId } = await start()
  const short = await make({ role: 'viewer', expiresInSeconds: 300 })
  const revoked = await make()
  expect(await list()).toHaveLength(2)
  expect((await call(`DELETE ${links}/${revoked.id}`, { as: 'ann' })).status).toBe(200)
  expect(await accept('bob', revoked)).toMatchObject({ status: 409, body: { message: 'This invite was withdrawn.' } })
  clock.advance(301)
  expect(await accept('bob', short)).toMatchObject({ status: 409, body: { message: 'This invite has expired.' } })
  await accept('eve', await make())
  const { userId: eve } = await meet('eve')
  const byEve = await make({ role: 'viewer' }, 'eve')
  await setRole(eve, 'viewer')
  expect((await accept('bob', byEve)).status).toBe(409)
  await call(`DELETE /api/workspaces/${workspaceId}`, { as: 'ann' })
  expect((await accept('bob', byEve)).status).toBe(404)
})

it('changes nobody\'s role, and brings nobody back who was removed or demoted', async () => {
  const { call, workspaceId, make, accept, setRole, meet, session, ann } = await start()
  const [editor, viewer] = [await make(), await make({ role: 'viewer' })]
  await accept('bob', viewer)
  const { userId: bob } = await meet('bob')
  expect((await accept('bob', editor)).body.role).toBe('viewer')
  await setRole(bob, 'viewer')
  const leave = () => call(`DELETE /api/workspaces/${workspaceId}/members/${bob}`, { as: 'bob' })
  await leave()
  expect((await accept('bob', editor)).status, 'a demotion ends links that grant more').toBe(409)
  expect((await accept('bob', viewer)).status, 'who left may come back').toBe(200)
  await call(`DELETE /api/workspaces/${workspaceId}/members/${bob}`, { as: 'ann' })
  expect((await accept('bob', viewer)).status).toBe(409)
  expect((await session('bob')).workspace.id).not.toBe(workspaceId)
  expect((await accept('ann', await make({ role: 'viewer' }))).body.role).toBe('owner')
  expect((await meet('ann')).userId).toBe(ann)
})

it('is bounded, makes no owner, and there are at most 100 that last', async () => {
  const { call, links, make } = await start()
  const wrong = [{ role: 'owner' }, { role: 'viewer', maxUses: 0 }, { role: 'viewer', maxUses: 1001 }, { role: 'viewer', expiresInSeconds: 1 }, {}]
  for (const body of wrong) expect((await call(`POST ${links}`, { as: 'ann', body })).status).toBe(400)
  for (let index = 0; index < 100; index++) await make({ role: 'viewer' })
  expect((await call(`POST ${links}`, { as: 'ann', body: { role: 'viewer' } })).status).toBe(409)
})

it('an invite by e-mail opens its workspace too', async () => {
  const { call, workspaceId, meet, session, accept } = await start()
  await meet('bob')
  const { body } = await call<Link>(`POST /api/workspaces/${workspaceId}/invites`, { as: 'ann', body: { email: 'bob@example.org', role: 'viewer' } })
  expect((await accept('bob', body)).status).toBe(200)
  expect(await session('bob')).toMatchObject({ workspace: { id: workspaceId }, role: 'viewer' })
})

it('a first workspace is named after its owner, where a pattern says so', async () => {
  const database = await openTestDatabase()
  const store = createAuthWorkspaceStore(async () => database, { workspaceName: namedAfterOwner })
  const { userId } = await store.getOrCreateUser({ provider: 'p', providerUserId: 'ann', displayName: 'Ann' })
  expect(await store.getOrCreateDefaultWorkspace(userId)).toMatchObject({ created: true, workspaceName: 'Ann\'s workspace' })
  const name = (displayName: string | null, email: string | null = null, pattern = namedAfterOwner) => nameWorkspace(pattern, { displayName, email })
  expect(name(null, 'ben@example.org')).toBe('ben\'s workspace')
  expect([name(null), name(' \0 '), nameWorkspace(namedAfterOwner, undefined)]).toEqual([plainName, plainName, plainName])
  expect(name('$&{name}', null, 'Raum von {name}')).toBe('Raum von $&{name}')
  expect(name('Ann', null, 'Home')).toBe('Home')
  expect(name('x'.repeat(300))).toHaveLength(100)
})
