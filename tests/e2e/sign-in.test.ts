/**
 * The two examples of signing in, as apps of their own over HTTP: a sealed cookie (`app-auth-cookie`) and a bearer
 * token of an identity service (`app-auth-bearer`), which a small server in this process stands for.
 * Seen red: the cookie app without a `maxAge`; the bearer app without its `algorithms`, `audience` or `issuer`, with
 * an unverified address taken, and with every error taken for the token's fault.
 */
import { createHmac, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningServer, startServer } from '../helpers/server.ts'
import { putOf } from '../helpers/sync.ts'
import { createClient, readAnswer } from './client.ts'
import { buildSignInApp } from './sign-in-apps.ts'

const folders: string[] = []
afterAll(() => Promise.all(folders.map(folder => rm(folder, { recursive: true, force: true }))))

/** A server on a new database. */
async function start(output: string, env: Record<string, string>, isShared = false): Promise<RunningServer> {
  const folder = await mkdtemp(join(tmpdir(), 'or3-sign-in-'))
  folders.push(folder)
  return startServer({ output, dbPath: join(folder, 'sync.db'), env, isShared })
}

interface Session { user: { id: string, email?: string, displayName?: string }, workspace: { id: string }, expiresAt?: string }

async function sessionOf(server: RunningServer, headers: Record<string, string>): Promise<Session | null> {
  return (await readAnswer<{ session: Session | null }>(await server.fetch('/api/auth/session', { headers }))).session
}

/** Somebody who is signed in pushes a message and pulls it again; a stranger to the workspace is refused. */
async function expectSync(server: RunningServer, header: string, value: string, stranger: string): Promise<void> {
  const client = createClient(server, header, value)
  const workspaceId = await client.workspaceId()
  const { results } = await client.push(workspaceId, [putOf('a')])
  expect(results).toMatchObject([{ success: true }])
  expect((await client.pull(workspaceId, 0)).changes).toMatchObject([{ pk: 'a' }])
  await expect(createClient(server, header, stranger).pull(workspaceId, 0)).rejects.toThrow('403')
}

/** Nobody's session, and 401 from a route of each kind. */
async function expectNobody(server: RunningServer, headers: Record<string, string>): Promise<void> {
  expect(await sessionOf(server, headers)).toBeNull()
  const body = JSON.stringify({ scope: { workspaceId: randomUUID() }, cursor: 0, limit: 1, ops: [], name: 'W', token: 'x' })
  for (const path of ['sync/pull', 'sync/push', 'sync/snapshot', 'workspaces', 'invites/accept']) {
    const answer = await server.fetch(`/api/${path}`, { method: 'POST', headers, body })
    expect([path, answer.status]).toEqual([path, 401])
  }
}

describe('a sealed cookie', () => {
  const password = 'a-password-for-sealing-the-cookies'
  let output: string
  let server: RunningServer

  beforeAll(async () => {
    output = await buildSignInApp('app-auth-cookie')
    server = await start(output, { NUXT_SESSION_PASSWORD: password }, true)
  }, 600_000)
  afterAll(() => server?.stop())

  const ada = { email: 'ada@example.test', password: 'ada keeps a diary' }
  const ben = { email: ' Ben@example.test', password: 'ben counts to ten' }

  const post = (at: RunningServer, body: unknown) =>
    at.fetch('/api/sign-in', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })

  async function signIn(credentials: object, at = server): Promise<string> {
    const answer = await post(at, credentials)
    expect(answer.status).toBe(200)
    const cookie = answer.headers.getSetCookie().at(-1)!
    expect(cookie).toMatch(/; HttpOnly; Secure; SameSite=Lax$/)
    return cookie.split(';', 1)[0]!
  }

  it('signs in, syncs, and names the account', async () => {
    const cookie = await signIn(ada)
    expect(await sessionOf(server, { cookie })).toMatchObject({
      provider: 'password', providerUserId: 'account-1', role: 'owner', user: { email: 'ada@example.test', displayName: 'Ada' },
    })
    await expectSync(server, 'cookie', cookie, await signIn(ben))
    // The next device of the same account comes to the same user.
    const again = await sessionOf(server, { cookie: await signIn(ada) })
    expect(again).toEqual(await sessionOf(server, { cookie }))
  })

  it('is not given for a wrong password, nor for an address nobody has, and the two are answered alike', async () => {
    const answers = await Promise.all([{ ...ada, password: 'guess' }, { ...ada, email: 'eve@example.test' }].map(body => post(server, body)))
    const [one, other] = await Promise.all(answers.map(async answer => [answer.status, answer.headers.getSetCookie(), await answer.text()]))
    expect(one).toEqual(other)
    expect(one).toEqual([401, [], expect.not.stringContaining('scrypt')])
    for (const body of [{}, { ...ada, password: 7 }, { email: ada.email, password: '' }, []]) expect((await post(server, body)).status).toBe(400)
  })

  it('that is missing, cut short, changed or sealed by somebody else is nobody\'s', async () => {
    const cookie = await signIn(ada)
    const stranger = await start(output, { NUXT_SESSION_PASSWORD: `another-${password}` })
    const middle = cookie.length >> 1
    const changed = cookie.slice(0, middle) + (cookie[middle] === 'A' ? 'B' : 'A') + cookie.slice(middle + 1)
    for (const wrong of ['', cookie.slice(0, -5), changed, 'nuxt-session=', await signIn(ada, stranger)]) await expectNobody(server, { cookie: wrong })
    expect(await sessionOf(server, { cookie })).not.toBeNull()
  })

  it('ends by itself, also where its browser keeps it', async () => {
    const brief = await start(output, { NUXT_SESSION_PASSWORD: password, NUXT_SESSION_MAX_AGE: '1' })
    const cookie = await signIn(ada, brief)
    expect(await sessionOf(brief, { cookie })).not.toBeNull()
    await delay(1_100)
    await expectNobody(brief, { cookie })
  })

  it('does not serve another site', async () => {
    const cookie = await signIn(ada)
    const { workspace } = (await sessionOf(server, { cookie }))!
    const body = JSON.stringify({ scope: { workspaceId: workspace.id }, ops: [putOf('planted')], name: 'Taken over' })
    for (const [name, value] of [['sec-fetch-site', 'cross-site'], ['origin', 'https://elsewhere.example']] as const) {
      // A form can be sent from anywhere without asking first, and its text can be JSON.
      const headers = { cookie, 'content-type': 'text/plain', [name]: value }
      for (const [method, path] of [['POST', 'sync/push'], ['POST', 'workspaces'], ['PATCH', `workspaces/${workspace.id}`]] as const) {
        const answer = await server.fetch(`/api/${path}`, { method, headers, body })
        expect([answer.status, await answer.json()]).toMatchObject([403, { data: { code: 'CROSS_SITE' } }])
      }
      expect((await server.fetch(`/api/workspaces/${workspace.id}`, { method: 'DELETE', headers })).status).toBe(403)
    }
    const { changes } = await createClient(server, 'cookie', cookie).pull(workspace.id, 0)
    expect(changes.filter(change => change.pk === 'planted')).toEqual([])
    const same = { cookie, 'sec-fetch-site': 'same-origin', 'origin': new URL(server.url).origin }
    expect((await server.fetch('/api/sync/push', { method: 'POST', headers: same, body })).status).toBe(200)
  })

  it('is gone after signing out', async () => {
    const cookie = await signIn(ada)
    const answer = await server.fetch('/api/_auth/session', { method: 'DELETE', headers: { cookie } })
    expect(answer.status).toBe(200)
    await expectNobody(server, { cookie: answer.headers.getSetCookie().at(-1)!.split(';', 1)[0]! })
  })

  it('that cannot be sealed is an outage, and signs nobody out', async () => {
    const unset = await start(output, { NUXT_SESSION_PASSWORD: '' })
    const answer = await unset.fetch('/api/auth/session', { headers: { cookie: await signIn(ada) } })
    expect([answer.status, await answer.json()]).toMatchObject([503, { data: { code: 'AUTH_UNAVAILABLE' } }])
  })
})

describe('a bearer token', () => {
  const kid = 'key-1'
  const ours = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const theirs = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const published = { keys: [
    { ...ours.publicKey.export({ format: 'jwk' }), kid, use: 'sig' },
    { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'key-rsa', use: 'sig' },
  ] }
  /** The identity service: all that the app needs of it is its public keys. */
  const service = createServer((_request, response) => void response.end(JSON.stringify(published)))
  let output: string
  let env: Record<string, string>
  let server: RunningServer

  beforeAll(async () => {
    output = await buildSignInApp('app-auth-bearer')
    await once(service.listen(0, '127.0.0.1'), 'listening')
    const issuer = `http://127.0.0.1:${(service.address() as AddressInfo).port}`
    env = { NUXT_BEARER_ISSUER: issuer, NUXT_BEARER_AUDIENCE: 'this-app', NUXT_BEARER_JWKS_URL: `${issuer}/jwks` }
    server = await start(output, env, true)
  }, 600_000)
  afterAll(async () => {
    service.close()
    await server?.stop()
  })

  const now = () => Math.floor(Date.now() / 1000)
  const claims = (more: object = {}) => ({ iss: env['NUXT_BEARER_ISSUER'], aud: 'this-app', sub: 'ada', iat: now(), exp: now() + 60, ...more })
  const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const inputOf = (payload: object, header: object = { alg: 'ES256', kid }) => `${encode(header)}.${encode(payload)}`

  function issue(payload = claims(), key: KeyObject = ours.privateKey): string {
    const input = inputOf(payload)
    return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
  }
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

  it('signs in, syncs, and names its subject', async () => {
    const token = issue(claims({ name: 'Ada', email: 'ada@example.test', email_verified: true }))
    const session = await sessionOf(server, bearer(token))
    expect(session).toMatchObject({ provider: 'identity-service', providerUserId: 'ada', user: { email: 'ada@example.test', displayName: 'Ada' } })
    await expectSync(server, 'authorization', `Bearer ${token}`, `Bearer ${issue(claims({ sub: 'ben' }))}`)
    // The next token of the same subject comes to the same user, whatever it says of name and address.
    const { user, workspace } = (await sessionOf(server, bearer(issue(claims({ exp: now() + 120 })))))!
    expect([user.id, workspace]).toEqual([session!.user.id, session!.workspace])
  })

  it('brings an address only where the service has verified it', async () => {
    for (const verified of [undefined, false, 'true']) {
      const token = issue(claims({ sub: 'eve', email: 'ada@example.test', email_verified: verified }))
      expect((await sessionOf(server, bearer(token)))!.user.email).toBeUndefined()
    }
  })

  it('that is wrong, expired or forged is nobody\'s', async () => {
    const good = issue()
    const [header, , signature] = good.split('.') as [string, string, string]
    const confused = inputOf(claims(), { alg: 'HS256', kid })
    const byRsa = inputOf(claims(), { alg: 'RS256', kid: 'key-rsa' })
    const publicKey = ours.publicKey.export({ type: 'spki', format: 'pem' })
    const wrong = {
      'no token at all': 'x',
      'cut short': good.slice(0, -4),
      'expired': issue(claims({ exp: now() - 1 })),
      'not yet good': issue(claims({ nbf: now() + 60 })),
      'without an end': issue(claims({ exp: undefined })),
      'without a subject': issue(claims({ sub: undefined })),
      'of another issuer': issue(claims({ iss: 'https://elsewhere.example' })),
      'for another app': issue(claims({ aud: 'another-app' })),
      'by another key': issue(claims(), theirs.privateKey),
      'by an unknown key': `${inputOf(claims(), { alg: 'ES256', kid: 'key-2' })}.${signature}`,
      'another payload': `${header}.${encode(claims({ sub: 'ben' }))}.${signature}`,
      'by a key of an algorithm it does not take': `${byRsa}.${sign('sha256', Buffer.from(byRsa), rsa.privateKey).toString('base64url')}`,
      'unsigned': `${inputOf(claims(), { alg: 'none' })}.`,
      'signed by the public key': `${confused}.${createHmac('sha256', publicKey).update(confused).digest('base64url')}`,
    }
    const seen = await Promise.all(Object.entries(wrong).map(async ([name, token]) => [name, await sessionOf(server, bearer(token))]))
    expect(seen.filter(([, session]) => session !== null)).toEqual([])
    for (const token of [wrong.expired, wrong['by another key']]) await expectNobody(server, bearer(token))
    await expectNobody(server, { authorization: `Basic ${good}` })
    await expectNobody(server, { cookie: `authorization=Bearer ${good}` })
  })

  it('serves a page of another site too, which cannot have it by accident', async () => {
    const headers = { ...bearer(issue()), 'sec-fetch-site': 'cross-site', 'origin': 'https://elsewhere.example' }
    const { workspace } = (await sessionOf(server, headers))!
    const body = JSON.stringify({ scope: { workspaceId: workspace.id }, cursor: 0, limit: 1 })
    expect((await server.fetch('/api/sync/pull', { method: 'POST', headers, body })).status).toBe(200)
  })

  it('whose keys cannot be had is an outage, and signs nobody out', async () => {
    for (const [name, value] of [['JWKS_URL', 'http://127.0.0.1:1/'], ['AUDIENCE', '']] as const) {
      const blind = await start(output, { ...env, [`NUXT_BEARER_${name}`]: value })
      const answer = await blind.fetch('/api/auth/session', { headers: bearer(issue()) })
      expect([answer.status, await answer.json()]).toMatchObject([503, { data: { code: 'AUTH_UNAVAILABLE' } }])
    }
  })
})
