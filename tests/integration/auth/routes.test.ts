/** What the routes about users and workspaces answer, over HTTP. */
import { eq } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { expectInvariants } from '../../unit/auth/invariants.ts'
import { invites } from '../../../server/database/schema/index.ts'
import { createInviteToken } from '../../../server/workspaces/invite-token.ts'
import { routeNames, serveRoutes, type SessionAnswer } from '../../helpers/http-server.ts'

interface Made { id: string, token: string, expiresAt: number }

describe('the session route', () => {
  it('answers null for nobody and the session for somebody, never to be stored', async () => {
    const { call } = await serveRoutes()
    const nobody = await call('GET /api/auth/session')
    expect(nobody).toMatchObject({ status: 200, body: { session: null } })
    expect(nobody.headers.get('cache-control')).toBe('no-store')
    const { body } = await call('GET /api/auth/session', { as: 'ann' })
    expect(body).toEqual({
      session: {
        authenticated: true,
        provider: 'test',
        providerUserId: 'ann',
        user: { id: expect.any(String), email: 'ann@example.org', displayName: 'Name of ann' },
        workspace: { id: expect.any(String), name: 'My Workspace' },
        role: 'owner',
      },
      usage: { bytes: 0, rows: 0, maxBytes: expect.any(Number), maxRows: expect.any(Number) },
    })
    expect((await call('GET /api/auth/session', { as: 'ann' })).body).toEqual(body)
  })
})

// Seen red with the session's answer alone marked so.
it('no answer about users and workspaces is stored, nor a refusal', async () => {
  const { call, meet } = await serveRoutes()
  const { workspaceId, userId } = await meet('ann')
  const routes = routeNames.filter(name => !name.includes('/api/sync/'))
  expect(routes).toHaveLength(16)
  const marks: [string, string | null][] = []
  for (const as of [undefined, 'ann']) {
    for (const name of routes) {
      const route = name.replace(':id', workspaceId).replace(':userId', userId).replace(/:(inviteId|linkId)/, 'none')
      const { headers } = await call(route, { as, ...!name.startsWith('GET') && { body: { name: 'W', id: workspaceId } } })
      marks.push([name, headers.get('cache-control')])
    }
  }
  expect(marks).toEqual(marks.map(([name]) => [name, 'no-store']))
})

describe('the workspace routes', () => {
  it('create, list, rename, activate and delete', async () => {
    const { call, database, meet } = await serveRoutes()
    const as = 'ann'
    await meet(as)
    const made = await call<{ id: string }>('POST /api/workspaces', { as, body: { name: ' Two ', description: 'd' } })
    expect(made).toMatchObject({ status: 200, body: { id: expect.any(String) } })
    const { id } = made.body
    const item = { id, name: 'Two', description: 'd', role: 'owner', isActive: false, createdAt: expect.any(Number) }
    const list = await call('GET /api/workspaces', { as })
    expect(list.body).toEqual({ workspaces: [
      item, { ...item, id: expect.any(String), name: 'My Workspace', description: null, isActive: true },
    ] })
    const done = { status: 200, body: { ok: true } }
    const session = async () => (await call<SessionAnswer>('GET /api/auth/session', { as })).body.session
    expect(await call(`PATCH /api/workspaces/${id}`, { as, body: { name: 'Three' } })).toMatchObject(done)
    expect(await call('POST /api/workspaces/active', { as, body: { id } })).toMatchObject(done)
    expect((await session()).workspace).toEqual({ id, name: 'Three' })
    const changed = { ...item, name: 'Three', isActive: true }
    expect(await call('GET /api/workspaces', { as })).toMatchObject({ body: { workspaces: [changed, {}] } })
    expect(await call(`DELETE /api/workspaces/${id}`, { as })).toMatchObject(done)
    expect((await session()).workspace.name).toBe('My Workspace')
    await expectInvariants(database)
  })

  it('name the field that is wrong', async () => {
    const { call, meet } = await serveRoutes()
    const as = 'ann'
    const { workspaceId } = await meet(as)
    for (const [body, field] of [
      [{}, 'name'], [{ name: ' ' }, 'name'], [{ name: 'x'.repeat(101) }, 'name'], [{ name: 'a\0' }, 'name'],
      [{ name: '\uD800' }, 'name'], [{ name: 1 }, 'name'],
      [{ name: 'W', description: 'x'.repeat(1001) }, 'description'],
    ] as const) {
      for (const route of ['POST /api/workspaces', `PATCH /api/workspaces/${workspaceId}`]) {
        const answer = await call<{ message: string }>(route, { as, body })
        expect(answer).toMatchObject({ status: 400, body: { data: { code: 'INVALID_REQUEST' } } })
        expect(answer.body.message).toMatch(new RegExp(`^Invalid request body.*${field}`))
      }
    }
    expect(await call('POST /api/workspaces/active', { as, body: { id: '' } })).toMatchObject({ status: 400 })
    expect(await call('POST /api/workspaces', { as })).toMatchObject({ status: 400 })
  })

  it('answer 404 for a path no id can have', async () => {
    const { call, meet } = await serveRoutes()
    const { workspaceId } = await meet('ann')
    const impossible = ['%00', 'a%00b', '%ED%A0%80', '%', '%zz', 'x'.repeat(300), '__proto__', 'constructor', '..%2f..']
    for (const id of [...impossible, `${workspaceId}%00x`]) {
      const answer = await call(`PATCH /api/workspaces/${id}`, { as: 'ann', body: { name: 'W' } })
      expect(answer).toMatchObject({ status: 404, body: { message: 'No such workspace.' } })
    }
  })
})

describe('the member and invite routes', () => {
  it('invite, accept, list, promote, demote, leave', async () => {
    const { call, meet, database } = await serveRoutes()
    const { userId: annId, workspaceId } = await meet('ann')
    const path = `/api/workspaces/${workspaceId}`
    const eveAsEditor = { email: ' Eve@Example.org', role: 'editor' }
    const made = await call<Made>(`POST ${path}/invites`, { as: 'ann', body: eveAsEditor })
    expect(made.body).toEqual({ id: expect.any(String), token: expect.any(String), expiresAt: expect.any(Number) })
    expect(made.body.expiresAt - Date.now() / 1000).toBeCloseTo(7 * 86_400, -1)
    const invites = await call(`GET ${path}/invites`, { as: 'ann' })
    const pending = { id: made.body.id, workspaceId, email: 'eve@example.org', role: 'editor', status: 'pending' }
    expect(invites.body).toMatchObject({ invites: [{ ...pending, invitedByUserId: annId }] })
    expect(invites.text).not.toMatch(/token/i)

    const accepted = await call('POST /api/invites/accept', { as: 'eve', body: { token: made.body.token } })
    expect(accepted).toMatchObject({ status: 200, body: { workspaceId, role: 'editor' } })
    const sessionOf = async (as: string) => (await call<SessionAnswer>('GET /api/auth/session', { as })).body.session
    const session = await sessionOf('eve')
    expect(session).toMatchObject({ workspace: { id: workspaceId }, role: 'editor' })
    const eve = `${path}/members/${session.user.id}`
    const again = await call('POST /api/invites/accept', { as: 'eve', body: { token: made.body.token } })
    expect(again).toMatchObject({ status: 409, body: { message: 'This invite was used already.' } })

    const members = await call(`GET ${path}/members`, { as: 'eve' })
    expect(members.body).toMatchObject({ members: [{ role: 'owner' }, { role: 'editor' }] })
    const ann = `${path}/members/${annId}`
    const done = { status: 200, body: { ok: true } }
    expect(await call(`PATCH ${eve}`, { as: 'ann', body: { role: 'owner' } })).toMatchObject(done)
    expect(await call(`PATCH ${ann}`, { as: 'eve', body: { role: 'viewer' } })).toMatchObject(done)
    expect((await sessionOf('ann')).role).toBe('viewer')
    const lastOwner = { status: 409, body: { data: { code: 'LAST_OWNER', retryable: false } } }
    expect(await call(`DELETE ${eve}`, { as: 'eve' })).toMatchObject(lastOwner)
    expect(await call(`PATCH ${eve}`, { as: 'eve', body: { role: 'editor' } })).toMatchObject(lastOwner)
    expect(await call(`DELETE ${ann}`, { as: 'ann' })).toMatchObject(done)
    expect((await sessionOf('ann')).workspace.id).not.toBe(workspaceId)
    await expectInvariants(database)
  })

  it('withdraw an invite; only the invited hear of it', async () => {
    const { call, meet } = await serveRoutes()
    const { workspaceId } = await meet('ann')
    const path = `/api/workspaces/${workspaceId}/invites`
    const invite = { email: 'eve@example.org', role: 'viewer' }
    const { body: { id, token } } = await call<Made>(`POST ${path}`, { as: 'ann', body: invite })
    expect(await call(`DELETE ${path}/${id}`, { as: 'ann' })).toMatchObject({ status: 200, body: { ok: true } })
    const body = { token }
    expect(await call('POST /api/invites/accept', { as: 'eve', body })).toMatchObject({ status: 409 })
    expect(await call('POST /api/invites/accept', { as: 'bob', body })).toMatchObject({ status: 404 })
  })

  it('take the address of an earlier sign-in where this one names none', async () => {
    let email: string | undefined = 'eve@example.org'
    const { call, store } = await serveRoutes({ provider: { getSession: () => ({ user: { id: 'eve', email } }) } })
    await call('GET /api/auth/session')
    const { userId } = await store.getOrCreateUser({ provider: 'p', providerUserId: 'ann' })
    const { workspaceId } = await store.createWorkspace({ userId, name: 'W' })
    const { token, tokenHash } = createInviteToken(workspaceId)
    const expiresAt = Math.floor(Date.now() / 1000) + 60
    await store.createInvite({ workspaceId, email, role: 'viewer', invitedByUserId: userId, expiresAt, tokenHash })
    email = undefined
    expect(await call('POST /api/invites/accept', { body: { token } })).toMatchObject({ status: 200 })
  })

  // Seen red without the limit, and with overdue ones counted.
  it('refuse an invite where a hundred are pending, until one is revoked or overdue', async () => {
    const { call, meet, database } = await serveRoutes()
    const { workspaceId } = await meet('ann')
    const { workspaceId: other } = await meet('ben')
    const path = `/api/workspaces/${workspaceId}/invites`
    const invite = (number: number) => call<Made>(`POST ${path}`, { as: 'ann', body: { email: `${number}@example.org`, role: 'viewer' } })
    const made: Awaited<ReturnType<typeof invite>>[] = []
    for (let number = 0; number < 100; number++) made.push(await invite(number))
    expect(made.map(({ status }) => status)).toEqual(made.map(() => 200))
    const tooMany = { status: 409, body: { data: { code: 'CONFLICT' }, message: '100 invites of this workspace are pending: revoke some first.' } }
    expect(await invite(100)).toMatchObject(tooMany)
    expect(await call(`POST /api/workspaces/${other}/invites`, { as: 'ben', body: { email: 'a@b.c', role: 'viewer' } })).toMatchObject({ status: 200 })

    await call(`DELETE ${path}/${made[0]!.body.id}`, { as: 'ann' })
    expect((await invite(101)).status).toBe(200)
    expect(await invite(102)).toMatchObject(tooMany)
    await database.write(tx => tx.update(invites).set({ expiresAt: 1 }).where(eq(invites.id, made[1]!.body.id)))
    expect((await invite(103)).status).toBe(200)
  })

  it('refuse malformed invites and roles', async () => {
    const { call, meet } = await serveRoutes()
    const { workspaceId, userId } = await meet('ann')
    const ok = { email: 'eve@example.org', role: 'viewer' }
    for (const wrong of [
      { email: 'eve' }, { email: 'a b@c' }, { email: '' }, { role: 'admin' }, { role: '__proto__' },
      { expiresInSeconds: 1 }, { expiresInSeconds: 1e9 }, { expiresInSeconds: 3600.5 }, { expiresInSeconds: '3600' },
    ]) {
      const answer = await call(`POST /api/workspaces/${workspaceId}/invites`, { as: 'ann', body: { ...ok, ...wrong } })
      expect(answer).toMatchObject({ status: 400 })
    }
    const promotion = `PATCH /api/workspaces/${workspaceId}/members/${userId}`
    expect(await call(promotion, { as: 'ann', body: { role: 'admin' } })).toMatchObject({ status: 400 })
    const secret = 'a'.repeat(43)
    for (const token of ['', 'x', `${workspaceId}.`, `${workspaceId}.${secret}`, '.'.repeat(300), `a\0.${secret}`]) {
      const { status } = await call('POST /api/invites/accept', { as: 'ann', body: { token } })
      expect([400, 404]).toContain(status)
    }
  })
})
