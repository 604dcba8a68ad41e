/** The playground as `npm run build` makes it: what it serves, and that it needs nothing but its own folder. */
import { existsSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { maxBodyBytes } from '../../shared/limits.ts'
import { startServer } from '../helpers/server.ts'
import { createTinyClient } from '../helpers/tiny-client.ts'
import { buildDbPath, buildPlayground } from './builds.ts'
import { itServesSync } from './checks.ts'
import { createClient } from './client.ts'
import { useBuiltServer } from './use-built-server.ts'

const header = 'x-demo-user'

const built = useBuiltServer(() => buildPlayground(), 180_000)

describe('the built playground, moved to another folder', () => {
  itServesSync({
    server: () => built.server,
    header,
    crash: () => built.crash(),
  })

  it('shows its page', async () => {
    const page = await built.server.fetch('/')
    expect(page.status).toBe(200)
    expect(await page.text()).toContain('<title>or3-layer-sqlite playground</title>')
  })

  it('was built without opening the database that was set', () => {
    expect(existsSync(dirname(buildDbPath(built.app.folder)))).toBe(false)
  })
})

describe('a body that cannot be served', () => {
  const ada = () => createClient(built.server, header, 'bodies')
  const post = (body: string) => built.server.fetch('/api/sync/push', { method: 'POST', headers: { [header]: 'bodies' }, body })

  it('is a 413 over 16 MiB', async () => {
    await ada().workspaceId()
    expect((await post(' '.repeat(maxBodyBytes + 1))).status).toBe(413)
  })

  it('is a 413 also without a content-length, before all of it has come', async () => {
    const answer = await sendWithoutLength(4 * maxBodyBytes)
    expect(answer.status).toBe(413)
    expect(answer.sentBytes).toBeLessThan(2 * maxBodyBytes)
  })

  it('is a 400 where it is no JSON', async () => {
    for (const body of ['{"scope":', '', 'null', '"text"', '[]']) expect((await post(body)).status).toBe(400)
  })

  it('is a 400 that names the field of a wrong shape', async () => {
    const workspaceId = await ada().workspaceId()
    const response = await ada().request('/api/sync/push', { body: { scope: { workspaceId }, ops: [{ tableName: 7 }] } })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ message: expect.stringContaining('ops.0.tableName') })
  })

  // Seen red: two errors in the log with each, one of them a stack.
  it.each([undefined, '1000'])('is nothing to log where its client goes away in the middle, content-length: %s', async (length) => {
    const { workspaceId } = ada()
    await workspaceId()
    const before = built.server.output()
    const request = httpRequest(new URL('/api/sync/push', built.server.url), { method: 'POST', headers: { [header]: 'bodies', ...length && { 'content-length': length } } })
    request.on('error', () => {})
    request.write('{"scope":')
    await sleep(100)
    request.destroy()
    await sleep(300)
    expect(built.server.output()).toBe(before)
  })

  it('leaves the server serving', async () => {
    expect((await ada().request('/api/auth/session')).status).toBe(200)
  })

  /** Chunked, as fast as the server takes it, until it answers. */
  async function sendWithoutLength(bytes: number) {
    const chunk = Buffer.alloc(256 * 1024, ' ')
    const request = httpRequest(new URL('/api/sync/push', built.server.url), { method: 'POST', headers: { [header]: 'bodies' } })
    const answered = new Promise<{ status: number, sentBytes: number }>((resolve, reject) => {
      request.on('error', reject)
      request.on('response', (response) => {
        const sentBytes = sent
        void text(response).then(() => resolve({ status: response.statusCode!, sentBytes }), reject)
      })
    })
    let sent = 0
    let isAnswered = false
    const settled = answered.finally(() => (isAnswered = true))
    while (!isAnswered && sent < bytes) {
      const isRoomLeft = request.write(chunk)
      sent += chunk.length
      await Promise.race([isRoomLeft ? new Promise(setImmediate) : new Promise(resolve => request.once('drain', resolve)), settled.catch(() => {})])
    }
    const answer = await settled
    request.destroy()
    return answer
  }
})

describe('a developer\'s first steps', () => {
  it('the client of docs/protocol.md syncs two devices', async () => {
    const workspaceId = await createClient(built.server, header, 'tiny').workspaceId()
    const origin = built.server.url.replace(/\/$/, '')
    const [phone, laptop] = [0, 1].map(() => createTinyClient({ origin, workspaceId, headers: { [header]: 'tiny' } }))
    const note = { id: 'n1', text: 'Milk', done: false, created_at: 1, updated_at: 1, clock: 1 }
    phone!.put('notes', 'n1', note)
    await phone!.sync()
    await laptop!.sync()
    expect(laptop!.rowsOf('notes').map(row => row.payload)).toEqual([note])
    expect([phone!.pending, phone!.refused]).toEqual([[], []])
  })

  // Seen red: Nuxt's page, with 200.
  it('an unknown API path is a 404 in JSON, another method a 405', async () => {
    for (const [path, status] of [['/api/sync/psuh', 404], ['/api/sync/push', 405], ['/api/workspaces/x', 405]] as const) {
      const answer = await built.server.fetch(path, { headers: { accept: 'text/html,*/*' } })
      expect([path, answer.status, answer.headers.get('content-type')]).toEqual([path, status, expect.stringContaining('application/json')])
      expect(await answer.json()).toMatchObject({ data: { retryable: false } })
    }
    expect((await built.server.fetch('/')).status).toBe(200)
  })

  it('a variable that nothing reads is told at the start', async () => {
    const env = { OR3_SQLITE_DBPATH: 'x', OR3_SQLITE_METRICS: 'false' }
    const server = await startServer({ output: built.output, dbPath: join(built.dataFolder, 'told.db'), env })
    // The session waits for the start to be over.
    expect((await server.fetch('/api/auth/session')).status).toBe(200)
    expect(server.output()).toContain('OR3_SQLITE_DBPATH is not read by or3-layer-sqlite: did you mean OR3_SQLITE_DB_PATH?')
    expect(server.output()).not.toContain('OR3_SQLITE_METRICS is not read')
  })

  it('a first workspace is named after its owner', async () => {
    const answer = await built.server.fetch('/api/auth/session', { headers: { [header]: 'named' } })
    const { session } = await answer.json() as { session: { user: { displayName?: string }, workspace: { name: string } } }
    expect(session.workspace.name).toBe(session.user.displayName ? `${session.user.displayName}'s workspace` : 'My Workspace')
    expect(session.workspace.name).not.toBe('My Workspace')
  })
})

// Seen red where the path was taken as the request has it: no id and no figure, and health waited for the start.
it.each(['/', '/sub/'])('names and counts its requests under the base URL %s', async (base) => {
  const server = await startServer({ output: built.output, dbPath: join(built.dataFolder, `base-${base.length}.db`), env: { NUXT_APP_BASE_URL: base, OR3_SQLITE_METRICS: 'true' } })
  const ask = (path: string, init?: RequestInit) => server.fetch(`${base}${path}`, init)
  expect((await ask('')).headers.get('x-request-id'), 'a page is no API').toBeNull()
  expect((await ask('api/health?from=probe')).headers.get('x-request-id')).toMatch(/^[\da-f-]{36}$/)
  expect((await ask('api/health', { headers: { 'x-request-id': 'mine-1' } })).headers.get('x-request-id')).toBe('mine-1')
  expect((await ask('api/health', { headers: { 'x-request-id': 'not usable' } })).headers.get('x-request-id')).toMatch(/^[\da-f-]{36}$/)
  expect(await ask('api/health', { method: 'HEAD' }).then(async answer => [answer.status, answer.headers.get('content-type'), await answer.text()])).toEqual([200, 'application/json', ''])
  expect((await ask('api/sync/pull', { method: 'POST', headers: { [header]: 'ada' }, body: '{}' })).status).toBe(400)
  expect(await (await ask('api/metrics')).text()).toContain('or3_sync_requests_total{operation="pull",status="400"} 1')
})
