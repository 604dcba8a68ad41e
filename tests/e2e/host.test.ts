/**
 * A host with its own registries, routes, session and start-up checks (`tests/fixtures/host`): the layer registers
 * itself there in time, serves through the host's routes alone, and keeps out where the host selects something else.
 */
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { runToEnd, startServer } from '../helpers/server.ts'
import { putOf } from '../helpers/sync.ts'
import { buildDbPath, buildFixture, root, runNuxt } from './builds.ts'
import { itServesSync } from './checks.ts'
import { itKeepsLimitsAndJobs } from './host-checks.ts'
import { itKeepsStores } from './host-stores.ts'
import { type Client, createClient, readAnswer } from './client.ts'
import { useBuiltServer } from './use-built-server.ts'

const header = 'x-user'

describe.each([
  { by: 'extends', packageName: 'or3-layer-sqlite' },
  { by: 'modules', packageName: 'or3-provider-sqlite' },
])('a host that takes the layer by `$by`', ({ by, packageName }) => {
  const built = useBuiltServer(() => buildFixture({ fixture: 'host', packageName, env: { HOST_TAKES_LAYER_BY: by } }))

  const served = {
    server: () => built.server,
    header,
    crash: () => built.crash(),
  }
  itServesSync(served)
  itKeepsLimitsAndJobs(served)
  itKeepsStores({ output: () => built.output, header })

  it('was prerendered, twice, without opening the database that was set', () => {
    for (const page of ['about-us', 'get-help']) expect(existsSync(join(built.output, 'public', page, 'index.html'))).toBe(true)
    expect(existsSync(dirname(buildDbPath(built.app.folder)))).toBe(false)
  })

  it('serves no route that it does not have itself', async () => {
    const own = new Set(await listRoutes(join(root, 'tests/fixtures/host/server/api')))
    const routes = await listRoutes(join(root, 'server/api'))
    expect(routes.length).toBeGreaterThan(10)
    for (const route of routes) {
      const [method, path] = route.split(' ') as [string, string]
      const response = await built.server.fetch(path, { method, headers: { [header]: 'probe', 'content-type': 'application/json' }, ...method !== 'GET' && method !== 'DELETE' && { body: '{}' } })
      if (own.has(route)) expect(response.headers.get('x-answered-by'), route).toBe('host')
      else expect(response.status, route).toBe(404)
    }
  })

  it('cleans up with an empty event', async () => {
    const ada = createClient(built.server, header, 'maintained')
    await ada.push(await ada.workspaceId(), [putOf('a')])
    const { workspaces } = await readAnswer<{ workspaces: number }>(await ada.request('/api/maintenance', { method: 'POST' }))
    expect(workspaces).toBeGreaterThan(0)
  })

  it('has admin pages, for whom it grants them', async () => {
    const ada = createClient(built.server, header, 'admin')
    await ada.workspaceId()
    expect((await ada.request('/api/admin/workspaces')).status).toBe(403)
    await built.server.fetch('/api/admin/grants', { method: 'POST', headers: { [header]: 'admin', 'x-super-admin': 'yes' } })
    expect(await readAnswer(await ada.request('/api/admin/workspaces'))).toMatchObject({ total: expect.any(Number) })
    const { actions } = await readAnswer<{ actions: { id: string }[] }>(await ada.request('/api/admin/status'))
    const run = async (id: string, payload?: object) =>
      (await readAnswer<{ result: unknown }>(await ada.request('/api/admin/actions', { body: { id, payload } }))).result
    expect(Object.fromEntries(await Promise.all(actions.map(async ({ id }) => [id, await run(id)])))).toEqual({
      'sync.gc-change-log': expect.objectContaining({ droppedChanges: 0, done: true }),
      'sync.gc-tombstones': expect.objectContaining({ droppedTombstones: 0, done: true }),
      'sync.checkpoint': expect.objectContaining({ walBytes: expect.any(Number) }),
      'sync.backup': expect.objectContaining({ name: expect.any(String) }),
    })
    expect((await readdir(join(built.dataFolder, 'backups'))).length).toBeGreaterThan(0)
  })

  it('lets an administrator bring somebody into a workspace, who syncs there', async () => {
    const [owner, guest] = ['owner', 'guest'].map(name => createClient(built.server, header, name)) as [Client, Client]
    const workspaceId = await owner.workspaceId()
    await owner.push(workspaceId, [putOf('a')])
    await guest.workspaceId()
    await readAnswer(await built.server.fetch('/api/admin/members', {
      method: 'POST',
      headers: { [header]: 'owner', 'x-super-admin': 'yes', 'content-type': 'application/json' },
      body: JSON.stringify({ workspaceId, emailOrProviderId: 'guest@example.test', role: 'viewer' }),
    }))
    await readAnswer(await guest.request('/api/workspaces/active', { body: { id: workspaceId } }))
    expect((await guest.pull(workspaceId, 0)).changes).toHaveLength(1)
    expect((await guest.request('/api/sync/push', { body: { scope: { workspaceId }, ops: [putOf('b')] } })).status).toBe(403)
  })

  it.each([
    ['another provider', { NUXT_SYNC_PROVIDER: 'own' }],
    ['no sign-in', { NUXT_AUTH_ENABLED: 'false' }],
  ])('opens nothing with %s', async (_, env) => {
    const folder = await mkdtemp(join(tmpdir(), 'or3-e2e-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const idle = await startServer({ output: built.output, dbPath: join(folder, 'sync.db'), env })
    expect((await idle.fetch('/about-us')).status).toBe(200)
    expect((await createClient(idle, header, 'ada').request('/api/sync/pull', { body: { scope: { workspaceId: 'w' }, cursor: 0, limit: 1 } })).status).toBeGreaterThanOrEqual(400)
    await idle.stop()
    expect(await readdir(folder)).toEqual([])
  })

  it('signs people in where sync alone is off', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'or3-e2e-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const signingIn = await startServer({ output: built.output, dbPath: join(folder, 'sync.db'), env: { NUXT_SYNC_ENABLED: 'false' } })
    const ada = createClient(signingIn, header, 'ada')
    const scope = { workspaceId: await ada.workspaceId() }
    expect((await ada.request('/api/sync/pull', { body: { scope, cursor: 0, limit: 1 } })).status).toBe(404)
    await signingIn.stop()
  })

  it('does not start where what it selects is not registered', async () => {
    const ending = await runToEnd({ output: built.output, dbPath: join(built.dataFolder, 'other.db'), env: { NUXT_SYNC_PROVIDER: 'missing' } })
    expect(ending.code).not.toBe(0)
    expect(ending.output).toContain('sync.provider "missing" is not registered')
  })

  it('passes `nuxt typecheck`', async () => {
    await runNuxt(built.app.folder, ['typecheck'], { HOST_TAKES_LAYER_BY: by })
  }, 120_000)
})

/** `POST /api/sync/push` and so on, with `x` in the place of parameters. */
async function listRoutes(api: string): Promise<string[]> {
  const files = await readdir(api, { recursive: true })
  return files.flatMap((file) => {
    const [, path, method] = /^(.*)\.(get|post|patch|delete|put)\.ts$/.exec(file) ?? []
    return path && method ? [`${method.toUpperCase()} /api/${path.replace(/\/index$/, '').replace(/\[\w+\]/g, 'x')}`] : []
  })
}
