/**
 * The Nuxt that OR3 Chat of February 2026 pins in its lock file: the fixture host builds there with the packed layer in
 * its modules, starts through its own checks, and serves.
 */
import { expect, it } from 'vitest'
import { buildFixture, februaryHost } from '../e2e/builds.ts'
import { itServesSync } from '../e2e/checks.ts'
import { useBuiltServer } from '../e2e/use-built-server.ts'
import { februaryNuxt, printVersions } from './versions.ts'

const header = 'x-user'

const built = useBuiltServer(() => buildFixture({ ...februaryHost, nuxt: februaryNuxt }), 600_000)

itServesSync({
  server: () => built.server,
  header,
  crash: () => built.crash(),
})

it('has the admin page\'s card', async () => {
  expect(await printVersions(built.app.folder)).toMatchObject({ nuxt: februaryNuxt })
  const card = await built.server.fetch('/api/admin/status', { headers: { [header]: 'ada', 'x-super-admin': 'yes' } })
  expect(await card.json()).toMatchObject({ warnings: [], details: { schemaRevision: expect.any(Number) } })
})
