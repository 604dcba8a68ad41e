/**
 * The oldest Nuxt that is supported: a small app with pages that installs the packed layer builds there, renders a page on
 * the server, and syncs.
 */
import { expect, it } from 'vitest'
import { buildFixture } from '../e2e/builds.ts'
import { itServesSync } from '../e2e/checks.ts'
import { createClient } from '../e2e/client.ts'
import { useBuiltServer } from '../e2e/use-built-server.ts'
import { oldestNuxt, printVersions } from './versions.ts'

const header = 'x-user'

const built = useBuiltServer(
  () => buildFixture({ fixture: 'app-pages', packageName: 'or3-layer-sqlite', nuxt: oldestNuxt }),
  600_000,
)

itServesSync({
  server: () => built.server,
  header,
  crash: () => built.crash(),
})

it('renders a page on the server beside the layer\'s routes', async () => {
  expect(await printVersions(built.app.folder)).toMatchObject({ nuxt: oldestNuxt })
  await createClient(built.server, header, 'ada').workspaceId()
  const page = await built.server.fetch('/start-page', { headers: { [header]: 'ada' } })
  expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('Hello')])
})
