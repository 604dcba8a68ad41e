/**
 * The apps that are run end to end, built as their users build them and kept by a hash of everything that goes in:
 * the playground, which extends the layer by a relative path, and copies of the fixtures in a folder outside the
 * project, where the packed tarball stands in a `node_modules` that npm installed.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const root = fileURLToPath(new URL('../..', import.meta.url))
const cache = join(tmpdir(), 'or3-layer-e2e')
const layerSources = [
  'modules', 'server', 'app', 'client', 'shared', 'cli', 'drizzle', 'nuxt.config.ts', 'package.json', 'package-lock.json',
]
/** What a build leaves behind is none of its sources. */
const leftovers = new Set(['node_modules', '.nuxt', '.output', '.data'])

export interface App {
  /** The folder it was built in, with its node_modules. */
  folder: string
  /** Its `.output`. */
  output: string
}

/** `npm run build` in a copy of the project, where a developer's own builds and servers are not in the way. */
export function buildPlayground(): Promise<App> {
  const sources = [...layerSources, 'tsconfig.json', '.playground', 'tests/fixtures/history.json']
  return once('playground', sources, async (folder) => {
    for (const source of sources) await copySource(source, join(folder, source))
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
    await runNuxt(folder, ['build', '.playground'], buildEnv(folder))
    await rename(join(folder, '.playground/.output'), join(folder, '.output'))
  })
}

export interface FixtureBuild {
  /** The folder in `tests/fixtures`. */
  fixture: string
  /** Under which name the tarball stands in node_modules. */
  packageName: string
  /** Read by the fixture's `nuxt.config.ts`. */
  env?: Record<string, string>
  /** Another Nuxt than the project's, by its exact version; npm installs what goes with it. */
  nuxt?: string
  /** Files and folders of the fixture that this build does without, and what it is called then. */
  variant?: { name: string, without: readonly string[], files?: Readonly<Record<string, string>> }
}

/**
 * The to-do app, with a word that only the server refuses, a production build that tells of hydration in detail, and a
 * route that tells what is open in the server.
 */
export const testedTodo: FixtureBuild = {
  fixture: 'app-todo',
  packageName: 'or3-layer-sqlite',
  variant: {
    name: 'tested',
    without: [],
    files: {
      'nuxt.config.ts': `export default defineNuxtConfig({
  extends: ['or3-layer-sqlite'],
  compatibilityDate: '2026-11-01',
  vite: { define: { __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'true' } },
  routeRules: { '/offline': { ssr: false } },
})
`,
      'server/plugins/handles.ts': `export default defineNitroPlugin((nitroApp) => {
  nitroApp.router.get('/open-handles', defineEventHandler(() => process.getActiveResourcesInfo()))
})
`,
      'public/sw.js': readFileSync(new URL('../../docs/examples/service-worker.js', import.meta.url), 'utf8'),
      'server/plugins/tables.ts': `import { registerSyncedTable } from '#or3-sync'
import { z } from 'zod'

export default defineNitroPlugin(() => {
  const text = z.string().min(1).refine(value => !value.includes('forbidden'), 'This word is not allowed here.')
  registerSyncedTable('todos', {
    primaryKey: 'id',
    schema: z.looseObject({ id: z.string(), text, done: z.boolean(), createdAt: z.number() }),
  })
})
`,
    },
  },
}

/** The fixture host without what only later releases of the real one have, and without its admin pages' stores. */
export const februaryHost: FixtureBuild = {
  fixture: 'host',
  packageName: 'or3-provider-sqlite',
  variant: {
    name: 'february',
    without: [
      'server/utils/rate-limit', 'server/middleware/sync-limits.ts', 'server/api/knock.post.ts',
      'server/utils/webhooks', 'server/api/webhooks', 'server/plugins/20.webhooks.ts',
      'server/connect', 'server/api/connect', 'server/plugins/05.connect-readiness.ts',
      'server/utils/background-jobs', 'server/api/jobs', 'server/api/sync/snapshot.post.ts',
      'server/admin/stores', 'server/api/admin/grants.post.ts', 'server/api/admin/members.post.ts', 'server/api/admin/workspaces.get.ts',
    ],
  },
}

/** A fixture with the packed layer as a real folder in its node_modules, built by `nuxt build`. */
export function buildFixture(build: FixtureBuild): Promise<App> {
  const { fixture, packageName, nuxt, env = {}, variant = { name: 'whole', without: [] } } = build
  const source = `tests/fixtures/${fixture}`
  const name = [variant.name, fixture, packageName, ...nuxt === undefined ? [] : ['nuxt', nuxt]].join('-')
  return once(name, [...layerSources, source], async (folder) => {
    const installing = nuxt === undefined ? installDependencies() : installNuxt(nuxt)
    const [installed, tarball] = await Promise.all([installing, packLayer(folder)])
    await copySource(source, folder)
    for (const path of variant.without) await rm(join(folder, path), { recursive: true })
    for (const [path, text] of Object.entries(variant.files ?? {})) {
      await mkdir(dirname(join(folder, path)), { recursive: true })
      await writeFile(join(folder, path), text)
    }
    // Hard links: as real as a copy, and there at once.
    await run('cp', ['-R', '-l', join(installed, 'node_modules'), join(folder, 'node_modules')])
    await rm(join(folder, 'node_modules/or3-layer-sqlite'), { recursive: true })
    const layer = join(folder, 'node_modules', packageName)
    await mkdir(layer)
    await run('tar', ['-xzf', tarball, '-C', layer, '--strip-components=1'])
    await runNuxt(folder, ['build'], { ...buildEnv(folder), ...env })
  })
}

/** Runs the Nuxt of an app's own node_modules. Throws with its output where it fails. */
export function runNuxt(folder: string, args: string[], env: Record<string, string> = {}): Promise<string> {
  return runNode([join(folder, 'node_modules/nuxt/bin/nuxt.mjs'), ...args], folder, env)
}

/** Packs the layer as `npm publish` would, and says what went in. */
export async function listPackedFiles(): Promise<string[]> {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root })
  const packed = JSON.parse(stdout) as { files: { path: string }[] }[] | Record<string, { files: { path: string }[] }>
  return Object.values(packed)[0]!.files.map(file => file.path)
}

/** A built server that finds nothing but its own folder: no project, no node_modules above it. */
export async function moveOutput({ output }: App): Promise<string> {
  const folder = join(await mkdtemp(join(tmpdir(), 'or3-moved-')), 'app')
  await cp(output, folder, { recursive: true, verbatimSymlinks: true })
  return folder
}

const run = promisify(execFile)

async function copySource(source: string, to: string) {
  await cp(join(root, source), to, { recursive: true, filter: path => !leftovers.has(basename(path)) })
}

/** A build that opens a database would make this file; `built-server.test.ts` looks for it. */
export function buildDbPath(folder: string): string {
  return join(folder, 'made-by-the-build', 'sync.db')
}

function buildEnv(folder: string): Record<string, string> {
  return { OR3_SQLITE_DB_PATH: buildDbPath(folder) }
}

async function packLayer(folder: string): Promise<string> {
  const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], { cwd: root })
  const packed = JSON.parse(stdout) as { filename: string }[] | Record<string, { filename: string }>
  return join(folder, Object.values(packed)[0]!.filename)
}

/** What npm puts beside the layer in an app: nothing that only the project itself depends on. */
async function installDependencies(): Promise<string> {
  const { folder } = await once('dependencies', ['package.json', 'package-lock.json', 'tests/fixtures/app-consumer/package.json'], async (folder) => {
    const manifest = JSON.parse(await readFile(join(root, 'tests/fixtures/app-consumer/package.json'), 'utf8')) as { dependencies: Record<string, string> }
    manifest.dependencies['or3-layer-sqlite'] = `file:${await packLayer(folder)}`
    await writeFile(join(folder, 'package.json'), JSON.stringify(manifest))
    // The project's versions, so that a release of somebody else's is not what a test fails on.
    await cp(join(root, 'package-lock.json'), join(folder, 'package-lock.json'))
    await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund'], { cwd: folder })
  })
  return folder
}

/** The newest of everything that goes with that Nuxt, as npm gives it to an app that has no lock file yet. */
async function installNuxt(version: string): Promise<string> {
  const { folder } = await once(`nuxt-${version}`, ['package.json'], async (folder) => {
    const dependencies = { 'nuxt': version, 'vue': '^3.5.45', 'zod': '^4.6.7', 'or3-layer-sqlite': `file:${await packLayer(folder)}` }
    await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module', dependencies }))
    await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund'], { cwd: folder, maxBuffer: 2 ** 24 })
  })
  return folder
}

/** Runs a script of an app's under the Node that runs this. Throws with its output where it fails. */
export async function runNode(args: string[], cwd: string, env: Record<string, string> = {}): Promise<string> {
  // Under vitest NODE_ENV is `test`, and what Nuxt builds then is no production build.
  const { NODE_ENV, VITEST, ...inherited } = process.env
  try {
    const { stdout, stderr } = await run(process.execPath, args, { cwd, env: { ...inherited, ...env }, maxBuffer: 2 ** 26 })
    return stdout + stderr
  }
  catch (error) {
    const { stdout, stderr } = error as { stdout: string, stderr: string }
    throw new Error(`${args.join(' ')} failed:\n${stdout}${stderr}`, { cause: error })
  }
}

/** Makes a folder of the cache, unless it is there; of several that ask at once, one makes it and the others wait. */
async function once(name: string, sources: string[], make: (folder: string) => Promise<void>): Promise<App> {
  const folder = join(cache, `${name}-${await hash([...sources, 'tests/e2e/builds.ts'])}`)
  await mkdir(cache, { recursive: true })
  while (!existsSync(folder)) {
    if (!await takeLock(`${folder}.lock`)) {
      await delay(200)
      continue
    }
    const making = `${folder}.${process.pid}`
    try {
      await removeOld(name)
      await mkdir(making)
      await make(making)
      // There at once or not at all. Somebody may have been faster all the same: a lock can outlive its process.
      await rename(making, folder).catch(() => {})
    }
    finally {
      await rm(making, { recursive: true, force: true })
      await rm(`${folder}.lock`, { force: true })
    }
  }
  return { folder, output: join(folder, '.output') }
}

/** True where the lock is ours now. The one of a process that is gone is taken away. */
async function takeLock(lock: string): Promise<boolean> {
  try {
    await writeFile(lock, String(process.pid), { flag: 'wx' })
    return true
  }
  catch {
    const holder = Number(await readFile(lock, 'utf8').catch(() => ''))
    if (holder > 0 && !isRunning(holder)) await rm(lock, { force: true })
    return false
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  }
  catch {
    return false
  }
}

const keptMs = 10 * 60_000

/** Builds of older sources; a run that started before this one may still be at a young one. */
async function removeOld(name: string) {
  for (const entry of await readdir(cache)) {
    const path = join(cache, entry)
    if (!entry.startsWith(`${name}-`)) continue
    const usedAt = await stat(path).then(({ mtimeMs }) => mtimeMs, () => Date.now())
    if (Date.now() - usedAt > keptMs) await rm(path, { recursive: true, force: true })
  }
}

async function hash(sources: string[]): Promise<string> {
  const sum = createHash('sha256').update(process.version)
  for (const source of sources) {
    for (const file of await listFiles(source)) sum.update(file).update('\0').update(await readFile(join(root, file))).update('\0')
  }
  return sum.digest('hex').slice(0, 12)
}

async function listFiles(source: string): Promise<string[]> {
  if (!(await stat(join(root, source))).isDirectory()) return [source]
  const entries = (await readdir(join(root, source))).filter(entry => !leftovers.has(entry)).sort()
  return (await Promise.all(entries.map(entry => listFiles(`${source}/${entry}`)))).flat()
}
