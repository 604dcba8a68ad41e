/**
 * From a request to a session and a permission.
 * Seen red: an expired session let through, a throwing provider answered as nobody, the cross-site check left out,
 * an opaque origin taken for the own one, `authorize` without its workspace or by the active one's role; any authorization taken for a token, a
 * sibling domain for the own one.
 */
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { consola } from 'consola'
import { createEvent, type H3Event } from 'h3'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { SyncDatabase } from '../../../server/database/types.ts'
import { openTestDatabase } from '../../helpers/database.ts'

const warn = vi.fn()
// A logger with a tag takes this over when it is made, which is after this line.
consola.mockTypes(type => type === 'warn' ? warn : () => {})

type Rooms = Awaited<ReturnType<typeof loadRooms>>
let rooms: Rooms
let database: SyncDatabase

/** The registries live as long as their modules, so each test has modules of its own. */
async function loadRooms() {
  vi.resetModules()
  return {
    ...await import('../../../server/auth/provider.ts'),
    ...await import('../../../server/auth/session.ts'),
    ...await import('../../../server/workspaces/store/registry.ts'),
    ...await import('../../../server/host/auth-store.ts'),
    ...await import('../../../server/auth/session-context.ts'),
  }
}

beforeEach(async () => {
  warn.mockClear()
  rooms = await loadRooms()
  database = await openTestDatabase()
  const create = () => rooms.createAuthWorkspaceStore(() => Promise.resolve(database))
  rooms.registerAuthWorkspaceStore({ id: 'sqlite', create })
})

describe('the auth provider', () => {
  it('that is missing makes everybody nobody, and is warned of once in all', async () => {
    for (let n = 0; n < 3; n++) expect(await rooms.resolveSession(makeEvent())).toBeNull()
    await expect(rooms.requireSession(makeEvent())).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
    await expect(rooms.requireAccount(makeEvent())).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
    expect(warn.mock.calls).toEqual([[expect.stringContaining('registerAuthProvider()')]])
  })

  it('that is missing is warned of at the start already, but not where a host has the store', async () => {
    rooms.warnWithoutProvider()
    await rooms.resolveSession(makeEvent())
    expect(warn).toHaveBeenCalledTimes(1)
    warn.mockClear()
    rooms = await loadRooms()
    rooms.warnWithoutProvider()
    expect(warn).not.toHaveBeenCalled()
  })

  it('is the one of the lowest order, or the selected one', async () => {
    register('second', 'ann', 2)
    register('first', 'ann', 1)
    expect(await rooms.resolveSession(makeEvent())).toMatchObject({ provider: 'first' })
    rooms.selectAuthProvider('second')
    expect(await rooms.resolveSession(makeEvent())).toMatchObject({ provider: 'second' })
    rooms.selectAuthProvider('third')
    expect(await rooms.resolveSession(makeEvent())).toBeNull()
  })

  it('that fails is an outage, not a sign-out', async () => {
    const outage = { code: 'AUTH_UNAVAILABLE', retryable: true }
    const fails: (() => unknown)[] = [
      () => raise('token secret-xyz is wrong'),
      () => Promise.reject(new Error('secret-xyz')),
      () => ({ user: { id: '' } }),
      () => ({ user: { id: 'a\0b' } }),
      () => ({ user: { id: '\uD800' } }),
      () => ({ user: { id: 'x'.repeat(257) } }),
      () => ({ user: { id: 7 } }),
      () => ({ user: { id: 'ann', email: 7 } }),
      () => ({ user: { id: 'ann' }, expiresAt: 1e9 }),
      () => ({ user: { id: 'ann' }, expiresAt: new Date(Number.NaN) }),
      () => ({}),
    ]
    for (const getSession of fails) {
      rooms.registerAuthProvider({ id: 'p', create: () => ({ getSession: getSession as () => null }) })
      const error = await rooms.resolveSession(makeEvent()).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject(outage)
      expect(String(error)).not.toContain('secret-xyz')
    }
    const create = () => raise('no key')
    rooms.registerAuthProvider({ id: 'p', create })
    await expect(rooms.resolveSession(makeEvent())).rejects.toMatchObject(outage)
  })

  it('is made once, at the first request', async () => {
    const create = vi.fn(() => ({ getSession: () => null }))
    rooms.registerAuthProvider({ id: 'p', create })
    expect(create).not.toHaveBeenCalled()
    for (let n = 0; n < 3; n++) await rooms.resolveSession(makeEvent())
    expect(create).toHaveBeenCalledTimes(1)
  })

  it('whose session is over has none', async () => {
    let expiresAt = new Date(Date.now() - 1)
    rooms.registerAuthProvider({ id: 'p', create: () => ({ getSession: () => ({ user: { id: 'ann' }, expiresAt }) }) })
    expect(await rooms.resolveSession(makeEvent())).toBeNull()
    expiresAt = new Date(Date.now() + 60_000)
    expect(await rooms.resolveSession(makeEvent())).toMatchObject({ expiresAt: expiresAt.toISOString() })
  })

  it('has an id that can be stored', () => {
    for (const id of ['', 'a\0b', 'x'.repeat(257)]) expect(() => register(id, 'ann')).toThrow(TypeError)
  })
})

describe('the session', () => {
  it('is asked for once a request, and left where the sync adapter finds it', async () => {
    const getSession = vi.fn(() => ({ user: { id: 'ann' } }))
    rooms.registerAuthProvider({ id: 'p', create: () => ({ getSession }) })
    const event = makeEvent()
    expect(rooms.readSessionContext(event)).toBeNull()
    const [one, other] = await Promise.all([rooms.resolveSession(event), rooms.resolveSession(event)])
    expect(one).toBe(other)
    expect(getSession).toHaveBeenCalledTimes(1)
    expect(rooms.readSessionContext(event)).toBe(one)
    expect(Object.keys(event.context).join()).toMatch(/^__or3_session_context_[\w-]+_p$/)
    expect(rooms.readSessionContext({})).toBeNull()
  })

  it('of nobody is known as nobody\'s', async () => {
    rooms.registerAuthProvider({ id: 'p', create: () => ({ getSession: () => null }) })
    const event = makeEvent()
    expect(await rooms.resolveSession(event)).toBeNull()
    expect(rooms.readSessionContext(event)).toEqual({ authenticated: false })
  })

  it('shows a change of role, membership or workspace at the next request', async () => {
    register('p', 'vic')
    const store = rooms.createAuthWorkspaceStore(() => Promise.resolve(database))
    const { user, workspace: own } = await rooms.requireSession(makeEvent())
    const { userId: ann } = await store.getOrCreateUser({ provider: 'p', providerUserId: 'ann' })
    const { workspaceId } = await store.createWorkspace({ userId: ann, name: 'Ann\'s' })
    const invite = { workspaceId, email: 'vic@example.org', tokenHash: 'hash' }
    await store.createInvite({ ...invite, role: 'viewer', invitedByUserId: ann, expiresAt: 4e9 })
    await store.consumeInvite({ ...invite, acceptedUserId: user.id })
    await store.setActiveWorkspace({ userId: user.id, workspaceId })
    expect(await rooms.requireSession(makeEvent())).toMatchObject({ workspace: { id: workspaceId }, role: 'viewer' })
    await store.setMemberRole({ userId: ann, workspaceId, memberUserId: user.id, role: 'editor' })
    expect(await rooms.requireSession(makeEvent())).toMatchObject({ role: 'editor' })
    await store.removeMember({ userId: ann, workspaceId, memberUserId: user.id })
    expect(await rooms.requireSession(makeEvent())).toMatchObject({ workspace: own, role: 'owner' })
  })

  it('without a store is an outage', async () => {
    rooms = await loadRooms()
    register('p', 'ann')
    await expect(rooms.resolveSession(makeEvent())).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
    const { getUser, ...incomplete } = rooms.createAuthWorkspaceStore(() => Promise.resolve(database))
    rooms.registerAuthWorkspaceStore({ id: 'sqlite', create: () => incomplete })
    await expect(rooms.resolveSession(makeEvent())).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
  })

  it('whose membership ends while it is read is read again', async () => {
    register('p', 'ann')
    const store = rooms.createAuthWorkspaceStore(() => Promise.resolve(database))
    let vanished = 0
    const getWorkspaceRole: typeof store.getWorkspaceRole = async input =>
      vanished-- > 0 ? null : store.getWorkspaceRole(input)
    rooms.registerAuthWorkspaceStore({ id: 'sqlite', create: () => ({ ...store, getWorkspaceRole, findKnownSession: async () => null }) })
    vanished = 2
    expect(await rooms.resolveSession(makeEvent())).toMatchObject({ role: 'owner' })
    vanished = 3
    await expect(rooms.resolveSession(makeEvent())).rejects.toMatchObject({ code: 'AUTH_UNAVAILABLE' })
  })
})

describe('a permission', () => {
  it('holds by the role in the workspace it names, and without one in the active one', async () => {
    register('p', 'ann')
    const { workspace, user } = await rooms.authorize(makeEvent(), 'workspace.write')
    const store = rooms.createAuthWorkspaceStore(() => Promise.resolve(database))
    const { workspaceId } = await store.createWorkspace({ userId: user.id, name: 'Another' })
    const { userId: ben } = await store.getOrCreateUser({ provider: 'p', providerUserId: 'ben' })
    const { workspaceId: bens } = await store.getOrCreateDefaultWorkspace(ben)
    const inNamed = (id: string, permission: 'workspace.read' | 'workspace.settings.manage') =>
      rooms.authorize(makeEvent(), permission, { workspaceId: id })
    expect((await inNamed(workspace.id, 'workspace.settings.manage')).workspace).toEqual(workspace)
    expect(await inNamed(workspaceId, 'workspace.settings.manage'))
      .toMatchObject({ role: 'owner', workspace: { id: workspaceId, name: 'Another' } })
    expect((await rooms.requireSession(makeEvent())).workspace).toEqual(workspace)
    for (const id of [bens, 'unknown', '', 'a\0b', '\uD800', 'x'.repeat(257)]) {
      await expect(inNamed(id, 'workspace.read')).rejects.toMatchObject({ code: 'NOT_A_MEMBER' })
    }
    await expect(rooms.authorize(makeEvent(), 'admin.access')).rejects.toMatchObject({ code: 'FORBIDDEN' })
    await expect(rooms.authorize(makeEvent(), 'admin.access', { workspaceId })).rejects.toMatchObject({ code: 'FORBIDDEN' })
  })

  it('to write is refused to a viewer as read-only', async () => {
    register('p', 'vic')
    const store = rooms.createAuthWorkspaceStore(() => Promise.resolve(database))
    const { user } = await rooms.requireSession(makeEvent())
    const { userId: ann } = await store.getOrCreateUser({ provider: 'p', providerUserId: 'ann' })
    const { workspaceId } = await store.createWorkspace({ userId: ann, name: 'Ann\'s' })
    const invite = { workspaceId, email: 'vic@example.org', tokenHash: 'hash' }
    await store.createInvite({ ...invite, role: 'viewer', invitedByUserId: ann, expiresAt: 4e9 })
    await store.consumeInvite({ ...invite, acceptedUserId: user.id })
    const write = () => rooms.authorize(makeEvent(), 'workspace.write', { workspaceId })
    await expect(write()).rejects.toMatchObject({ code: 'READ_ONLY' })
    const manage = rooms.authorize(makeEvent(), 'workspace.settings.manage', { workspaceId })
    await expect(manage).rejects.toMatchObject({ code: 'FORBIDDEN' })
    await store.setMemberRole({ userId: ann, workspaceId, memberUserId: user.id, role: 'editor' })
    await write()
  })
})

describe('a request of another site', () => {
  const own = { host: 'app.example:3000' }
  const ownOrigin = { origin: 'http://app.example:3000' }
  const proxied = { origin: 'https://app.example' }
  const otherOrigin = { origin: 'https://elsewhere.example' }
  const cookie = { cookie: 'session=1' }
  const bearer = { authorization: 'Bearer x' }
  it.each<[string, 'refused' | 'served', Record<string, string>]>([
    ['says cross-site', 'refused', { 'sec-fetch-site': 'cross-site' }],
    ['says cross-site and has this origin', 'refused', { 'sec-fetch-site': 'cross-site', ...ownOrigin }],
    ['says same-origin', 'served', { 'sec-fetch-site': 'same-origin', ...otherOrigin }],
    ['says same-site and has this origin', 'served', { 'sec-fetch-site': 'same-site', ...ownOrigin }],
    ['says same-site and has the proxy\'s origin', 'served', { 'sec-fetch-site': 'same-site', ...proxied, 'x-forwarded-host': 'app.example' }],
    ['says same-site and is a sibling', 'refused', { 'sec-fetch-site': 'same-site', 'origin': 'http://sibling.example:3000' }],
    ['says same-site and not from where', 'refused', { 'sec-fetch-site': 'same-site' }],
    ['says what no browser says yet', 'refused', { 'sec-fetch-site': 'nearby', ...otherOrigin }],
    ['says none', 'served', { 'sec-fetch-site': 'none' }],
    ['says nothing', 'served', {}],
    ['has this origin', 'served', ownOrigin],
    ['has this origin behind TLS', 'served', { origin: 'https://app.example:3000' }],
    ['has the proxy\'s origin', 'served', { ...proxied, 'x-forwarded-host': 'app.example, inner' }],
    ['names the default port', 'served', { ...proxied, 'x-forwarded-host': 'app.example:443' }],
    ['has another origin', 'refused', otherOrigin],
    ['has another port', 'refused', { origin: 'http://app.example:4000' }],
    ['has an opaque origin', 'refused', { origin: 'null' }],
    ['has an origin of another scheme', 'refused', { origin: 'file://app.example:3000' }],
    ['has a bearer token and no cookie', 'served', { 'sec-fetch-site': 'cross-site', ...bearer }],
    ['has a bearer token of any case and no cookie', 'served', { 'sec-fetch-site': 'cross-site', 'authorization': 'bearer x' }],
    ['has what a browser adds by itself', 'refused', { 'sec-fetch-site': 'cross-site', 'authorization': 'Basic eA==' }],
    ['has what an older browser adds by itself', 'refused', { ...otherOrigin, authorization: 'Negotiate eA==' }],
    ['has a scheme that begins alike', 'refused', { 'sec-fetch-site': 'cross-site', 'authorization': 'BearerToken x' }],
    ['has a bearer token and a cookie', 'refused', { 'sec-fetch-site': 'cross-site', ...bearer, ...cookie }],
  ])('that %s is %s where it changes state', async (_name, outcome, headers) => {
    register('p', 'ann')
    const authorize = (event: H3Event) => rooms.authorize(event, 'workspace.read')
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      for (const call of [rooms.requireSession, rooms.requireAccount, authorize]) {
        const answer = call(makeEvent(method, { ...own, ...headers }))
        if (outcome === 'served') await answer
        else await expect(answer).rejects.toMatchObject({ code: 'CROSS_SITE' })
      }
    }
    await rooms.requireSession(makeEvent('GET', { ...own, ...headers }))
  })
})

function register(id: string, userId: string, order?: number): void {
  rooms.registerAuthProvider({ id, order, create: () => ({ getSession: () => ({ user: { id: userId } }) }) })
}

function raise(message: string): never {
  throw new Error(message)
}

function makeEvent(method = 'GET', headers: Record<string, string> = {}): H3Event {
  const request = new IncomingMessage(new Socket())
  Object.assign(request, { method, headers })
  return createEvent(request, new ServerResponse(request))
}
