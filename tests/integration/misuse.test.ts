/**
 * Mistakes of an app's developer that are told at once. Seen red: the plugin left out, a type import refused, an
 * override of a nested key taken for unknown, a key of the default config not known, a route's other methods not named.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import { describe, expect, it } from 'vitest'
import { findUnknownKeys, findUnknownVariables, knownVariables } from '../../server/config/known-settings.ts'
import { createServerOnlyPlugin } from '../../modules/build/server-only.ts'
import { makeTempFolder } from '../helpers/database.ts'
import { serveRoutes } from '../helpers/http-server.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const entry = join(root, 'server/index.ts')

describe('an import of #or3-sync in browser code', () => {
  async function bundle(text: string) {
    const folder = await makeTempFolder()
    await mkdir(join(folder, 'src'), { recursive: true })
    await writeFile(join(folder, 'src/page.ts'), text)
    return build({
      root: folder, configFile: false, logLevel: 'silent', resolve: { alias: { '#or3-sync': entry } },
      plugins: [createServerOnlyPlugin(entry)],
      build: { write: false, rollupOptions: { input: join(folder, 'src/page.ts') } },
    })
  }

  it('of a value ends the build, naming the file', async () => {
    for (const text of ['import { useSyncDatabase } from \'#or3-sync\'\nconsole.log(useSyncDatabase)', 'await import(\'#or3-sync\')']) {
      await expect(bundle(text)).rejects.toThrow(/src\/page\.ts imports "#or3-sync", which is for server code/)
    }
  })

  it('of a type passes', async () => {
    await bundle('import type { PendingOp } from \'#or3-sync\'\nexport const count = (ops: PendingOp[]) => ops.length\nconsole.log(count([]))')
  })
})

describe('a setting that nothing reads', () => {
  const config = { dbPath: '', slowStatementMs: '', limits: { maxBodyBytes: '', rateLimits: '' } }

  it('in the environment is told with the nearest name', () => {
    const env = {
      OR3_SQLITE_DB_PATH: 'x', NUXT_OR3_SQLITE_DB_PATH: 'x', NUXT_OR3_SQLITE_LIMITS_MAX_BODY_BYTES: '1', NUXT_OR3_SQLITE_LIMITS_RATE_LIMITS_PUSH: '1',
      NUXT_OR3_SQLITE_SLOW_STATEMENT_MS: '1', OR3_SYNC_PROVIDER: 'sqlite', HOME: '/',
    }
    expect(findUnknownVariables(env, config)).toEqual([])
    expect(findUnknownVariables({ ...env, OR3_SQLITE_DBPATH: 'x', NUXT_OR3_SQLITE_LIMITS_MAX_BODY_SIZE: '1' }, config)).toEqual([
      'The environment variable OR3_SQLITE_DBPATH is not read by or3-layer-sqlite: did you mean OR3_SQLITE_DB_PATH?',
      'The environment variable NUXT_OR3_SQLITE_LIMITS_MAX_BODY_SIZE is not read by or3-layer-sqlite: did you mean NUXT_OR3_SQLITE_LIMITS_MAX_BODY_BYTES?',
    ])
  })

  it('in the config is told with the nearest name, also inside', () => {
    expect(findUnknownKeys('or3Sqlite', undefined, config)).toEqual([])
    expect(findUnknownKeys('or3Sqlite', { dbPath: 'x', limits: { rateLimits: { push: 1 } } }, config)).toEqual([])
    expect(findUnknownKeys('or3Sqlite', { dbpath: 'x', limits: { maxBodySize: 1 } }, config)).toEqual([
      'The setting or3Sqlite.dbpath is not read by or3-layer-sqlite: did you mean or3Sqlite.dbPath?',
      'The setting or3Sqlite.limits.maxBodySize is not read by or3-layer-sqlite: did you mean or3Sqlite.limits.maxBodyBytes?',
    ])
  })

  it('is none of those that the code reads', () => {
    const sources = ['server', 'cli', 'modules'].flatMap(folder => readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter(name => name.endsWith('.ts')).map(name => readFileSync(join(root, folder, name), 'utf8')))
    const read = new Set(sources.flatMap(text => [...text.matchAll(/(?<!NUXT_)\bOR3_SQLITE_[A-Z_]*[A-Z]\b(?!_)/g)].map(match => match[0])))
    expect(read.size).toBeGreaterThan(8)
    expect([...read].filter(name => !knownVariables.includes(name))).toEqual([])
  })
})

describe('an API path', () => {
  it('that nobody has is a 404 in JSON, and with another method a 405 that names the right ones', async () => {
    const { call } = await serveRoutes()
    for (const route of ['GET /api/nothing', 'POST /api/sync/psuh', 'DELETE /api/workspaces/a/b/c']) {
      expect(await call(route, { as: 'ann' })).toMatchObject({ status: 404, body: { data: { code: 'NOT_FOUND' } } })
    }
    const wrong: [string, string][] = [
      ['GET /api/sync/push', 'POST'], ['PUT /api/sync/pull', 'POST'], ['POST /api/auth/session', 'GET'],
      ['GET /api/workspaces/some-id', 'DELETE, PATCH'], ['PUT /api/workspaces', 'GET, POST'], ['GET /api/sync/push?x=1', 'POST'],
    ]
    for (const times of [1, 2]) {
      for (const [route, allow] of wrong) {
        const answer = await call(route, { as: 'ann' })
        expect([times, route, answer.status, answer.headers.get('allow')]).toEqual([times, route, 405, allow])
        expect(answer.body).toMatchObject({ data: { code: 'METHOD_NOT_ALLOWED', retryable: false } })
      }
    }
    expect((await call('GET /api/workspaces', { as: 'ann' })).status).toBe(200)
  })

  it('filtered by a table that is not synced is a 400, where the cursor would move past everything', async () => {
    const { post, meet } = await serveRoutes()
    const scope = { workspaceId: (await meet('ann')).workspaceId }
    for (const [route, rest] of [['pull', { cursor: 0 }], ['snapshot', { pageSize: 10 }]] as const) {
      expect((await post(route, { scope, ...rest, tables: ['messages'] })).status).toBe(200)
      const answer = await post(route, { scope, ...rest, tables: ['messages', 'mesages'] })
      expect(answer).toMatchObject({ status: 400, body: { message: 'Unknown table: "mesages" is not synced' } })
      expect((await post(route, { scope, ...rest, tables: 7 })).status).toBe(400)
    }
  })
})
