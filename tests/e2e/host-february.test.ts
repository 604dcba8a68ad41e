/**
 * A host of an earlier release, which lacks the registries of rate limits, background jobs and admin stores: the layer
 * binds to what is there and misses nothing of the rest, at build time or later.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type RunningServer, startServer } from '../helpers/server.ts'
import { buildFixture, februaryHost, moveOutput } from './builds.ts'
import { itServesSync } from './checks.ts'
import { createClient } from './client.ts'

const header = 'x-user'
let output: string
let dataFolder: string
let server: RunningServer

const start = () => startServer({ output, dbPath: join(dataFolder, 'sync.db'), isShared: true })

beforeAll(async () => {
  output = await moveOutput(await buildFixture(februaryHost))
  dataFolder = await mkdtemp(join(tmpdir(), 'or3-e2e-'))
  server = await start()
}, 300_000)

afterAll(async () => {
  await server?.stop()
  for (const path of [dataFolder, output && dirname(output)]) if (path) await rm(path, { recursive: true, force: true })
})

itServesSync({
  server: () => server,
  header,
  async crash() {
    await server.kill()
    server = await start()
  },
})

it('binds to the registries that are there, and serves nothing of those that are not', async () => {
  const ada = createClient(server, header, 'ada')
  await ada.workspaceId()
  const card = await server.fetch('/api/admin/status', { headers: { [header]: 'ada', 'x-super-admin': 'yes' } })
  expect(await card.json()).toMatchObject({ warnings: [], details: { schemaRevision: 1 } })
  for (const path of ['/api/knock', '/api/jobs', '/api/sync/snapshot']) expect((await ada.request(path, { body: {} })).status).toBe(404)
})
