/**
 * What an app gets that installs the package: the fixture `app-consumer` has the packed tarball in its node_modules,
 * extends it, adds a table, a synced table and a sign-in of its own, and takes one of its routes for itself.
 */
import { existsSync } from 'node:fs'
import { cp, lstat, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readRssMb } from '../helpers/memory.ts'
import { startServer } from '../helpers/server.ts'
import { deleteOf, putOf } from '../helpers/sync.ts'
import { buildDbPath, buildFixture, listPackedFiles, runNode, runNuxt } from './builds.ts'
import { itServesSync } from './checks.ts'
import { createClient, readAnswer } from './client.ts'
import { useBuiltServer } from './use-built-server.ts'

const header = 'x-user'

const built = useBuiltServer(() => buildFixture({ fixture: 'app-consumer', packageName: 'or3-layer-sqlite' }))
const as = (name: string) => createClient(built.server, header, name)

describe('the packed package', () => {
  it('holds what an app needs and nothing else', async () => {
    const files = await listPackedFiles()
    const needed = ['package.json', 'nuxt.config.ts', 'README.md', 'LICENSE', 'modules/sync-layer.ts', 'server/index.ts', 'server/plugins/sync-layer.ts', 'server/database/schema/index.ts', 'drizzle/meta/_journal.json', 'drizzle/0000_initial.sql', 'server/api/sync/push.post.ts', 'client/index.ts', 'app/composables/useSyncedTable.ts', 'bin/or3-layer-sqlite.js']
    expect(files).toEqual(expect.arrayContaining(needed))
    const allowed = /^(modules|server|app|client|shared|cli|drizzle)\/|^bin\/or3-layer-sqlite\.js$|^docs\/[\w-]+\.md$|^docs\/openapi\.json$|^docs\/examples\/([\w-]+\.(ts|js)|Caddyfile)$|^(package\.json|nuxt\.config\.ts|README\.md|SPEC\.md|CHANGELOG\.md|LICENSE)$/
    expect(files.filter(file => !allowed.test(file) || file.includes('.test.'))).toEqual([])
  })

  it('stands in node_modules as a real folder', async () => {
    const layer = await lstat(join(built.app.folder, 'node_modules/or3-layer-sqlite'))
    expect(layer.isDirectory()).toBe(true)
  })
})

describe('an app that extends it, built and moved to another folder', () => {
  itServesSync({
    server: () => built.server,
    header,
    crash: () => built.crash(),
  })

  it('was built without opening the database that was set', () => {
    expect(existsSync(dirname(buildDbPath(built.app.folder)))).toBe(false)
  })

  it('reads and writes a table of its own, which goes with its workspace', async () => {
    const ada = as('ada')
    const first = await ada.workspaceId()
    const { id } = await readAnswer<{ id: string }>(await ada.request('/api/workspaces', { body: { name: 'Books' } }))
    await ada.request('/api/workspaces/active', { body: { id } })
    await readAnswer(await ada.request('/api/bookmarks', { body: { url: 'https://example.test/', title: 'Example' } }))
    expect(await readBookmarks(ada)).toEqual([{ id: expect.any(Number), workspaceId: id, url: 'https://example.test/', title: 'Example' }])
    await ada.request('/api/workspaces/active', { body: { id: first } })
    expect(await readBookmarks(ada)).toEqual([])
  })

  it('is refused a row of a workspace that is not there', async () => {
    const body = { url: 'https://example.test/', title: 'Stray', workspaceId: 'nowhere' }
    const response = await as('ada').request('/api/bookmarks', { body })
    expect(response.status).toBe(500)
    expect(await readBookmarks(as('ada'))).toEqual([])
  })

  it('syncs a table of its own, whose schema refuses a wrong payload', async () => {
    const ada = as('recipes')
    const workspaceId = await ada.workspaceId()
    const { results } = await ada.push(workspaceId, [
      putOf('soup', { tableName: 'recipes', payload: { id: 'soup', title: 'Soup', minutes: 20, servings: 4 } }),
      putOf('cake', { tableName: 'recipes', payload: { id: 'cake', title: 'Cake', minutes: 'long' } }),
      putOf('x', { tableName: 'unheard-of' }),
    ])
    expect(results.map(result => result.errorCode ?? result.serverVersion)).toEqual([1, 'VALIDATION_ERROR', 'VALIDATION_ERROR'])
    const { changes } = await ada.pull(workspaceId, 0)
    expect(changes[0]).toMatchObject({ tableName: 'recipes', payload: { id: 'soup', title: 'Soup', minutes: 20, servings: 4 } })
    const removed = await ada.push(workspaceId, [deleteOf('soup', { tableName: 'recipes', stamp: { clock: 2 } })])
    expect(removed.results).toMatchObject([{ success: true, serverVersion: 2 }])
  })

  // Seen red: Drizzle outside the bundle, 220 MB.
  it('starts with less than 150 MB', async () => {
    const server = await startServer({ output: built.output, dbPath: 'sync.db' })
    await createClient(server, header, 'ada').workspaceId()
    expect(readRssMb(server.pid)).toBeLessThan(150)
  })

  // Seen red: a limit of the app's alone, whose whole `limits` then stood in place of the layer's.
  it('has limits of its own, and takes the others from the environment', async () => {
    const server = await startServer({ output: built.output, dbPath: 'sync.db', env: { NUXT_OR3_SQLITE_LIMITS_MAX_BODY_BYTES: '600000' } })
    const ada = createClient(server, header, 'ada')
    const scope = { workspaceId: await ada.workspaceId() }
    const push = (ops: object[]) => ada.request('/api/sync/push', { body: { scope, ops } })
    const many = await push(Array.from({ length: 901 }, (_, index) => putOf(`m${index}`)))
    expect({ status: many.status, text: await many.text() }).toMatchObject({ status: 400, text: expect.stringContaining('at most 900') })
    expect((await push([putOf('a', { payload: { id: 'a', text: 'x'.repeat(600_000) } })])).status).toBe(413)
  })

  it('answers with its own route where the layer has one of the same name', async () => {
    expect(await readAnswer(await as('ada').request('/api/auth/session'))).toMatchObject({ answeredBy: 'app-consumer' })
  })
})

describe('the app\'s tools', () => {
  // Seen red: built, and every request answered with 500.
  it('`nuxt build` refuses a cron pattern that is none', async () => {
    const building = runNuxt(built.app.folder, ['build'], { OR3_SQLITE_BACKUP_CRON: 'at three' })
    await expect(building).rejects.toThrow(/OR3_SQLITE_BACKUP_CRON is "at three": set it to a cron pattern/)
  })

  it('`nuxt typecheck` passes, the layer\'s own TypeScript included', async () => {
    await runNuxt(built.app.folder, ['typecheck'])
  }, 120_000)

  it('`drizzle-kit generate` finds nothing to change, and none of the layer\'s tables', async () => {
    // The tool takes a relative path only.
    const folder = 'drizzle-again'
    await cp(join(built.app.folder, 'drizzle'), join(built.app.folder, folder), { recursive: true })
    const printed = await runNode(['node_modules/drizzle-kit/bin.cjs', 'generate', '--dialect=turso', '--schema=./server/database/schema.ts', `--out=./${folder}`], built.app.folder)
    await rm(join(built.app.folder, folder), { recursive: true })
    expect(printed).toContain('No schema changes')
  })
})

async function readBookmarks(client: ReturnType<typeof as>): Promise<unknown[]> {
  const { bookmarks } = await readAnswer<{ bookmarks: unknown[] }>(await client.request('/api/bookmarks'))
  return bookmarks
}
