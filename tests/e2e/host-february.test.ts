/**
 * A host of an earlier release, which lacks the registries of rate limits, background jobs and admin stores: the layer
 * binds to what is there and misses nothing of the rest, at build time or later.
 */
import { expect, it } from 'vitest'
import { layerMigrations } from '../helpers/database.ts'
import { buildFixture, februaryHost } from './builds.ts'
import { itServesSync } from './checks.ts'
import { createClient } from './client.ts'
import { useBuiltServer } from './use-built-server.ts'

const header = 'x-user'

const built = useBuiltServer(() => buildFixture(februaryHost))

itServesSync({
  server: () => built.server,
  header,
  crash: () => built.crash(),
})

it('binds to the registries that are there, and serves nothing of those that are not', async () => {
  const ada = createClient(built.server, header, 'ada')
  await ada.workspaceId()
  const card = await built.server.fetch('/api/admin/status', { headers: { [header]: 'ada', 'x-super-admin': 'yes' } })
  expect(await card.json()).toMatchObject({ warnings: [], details: { schemaRevision: layerMigrations.length } })
  for (const path of ['/api/knock', '/api/jobs', '/api/sync/snapshot']) expect((await ada.request(path, { body: {} })).status).toBe(404)
})
