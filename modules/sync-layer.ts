/**
 * Build time: binds the layer to a host's registries where the app has them, else to its own; adds the start-up plugin
 * before the app's own plugins; inlines both migration histories; keeps the layer's routes out of an app that has a
 * host's. The same file works by `extends` and, as `or3-layer-sqlite/nuxt`, listed in `modules`.
 */
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  addServerPlugin, addServerTemplate, addTypeTemplate, addVitePlugin, defineNuxtModule, resolveFiles, useLogger,
} from '@nuxt/kit'
import { Cron } from 'croner'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { findUnknownKeys } from '../server/config/known-settings.ts'
import { createServerOnlyPlugin } from './server-only.ts'

export interface SyncLayerOptions {
  /** The app's own drizzle folder, applied at start in a ledger of its own; default `drizzle` where it exists. */
  migrationsDir?: string
  /** When to back the database up, as a cron pattern; also `OR3_SQLITE_BACKUP_CRON` at build time. Without one: never. */
  backupCron?: string
}

/** The keys of `or3Sqlite` in a `nuxt.config.ts`. */
const knownOptions = { migrationsDir: '', backupCron: '' } satisfies Required<SyncLayerOptions>

/** Not on the hour, when everybody's jobs start. */
const cleanUpCron = '17 * * * *'

const layerRoot = fileURLToPath(new URL('..', import.meta.url)).replace(/[/\\]$/, '')
const layerServer = join(layerRoot, 'server')
/** What of the package runs in a server, as TypeScript. */
const layerSources = [layerServer, join(layerRoot, 'shared')]

/** A linked package has one name in `extends` and another here. */
const isLayerServer = (dir: string) => existsSync(dir) && realpathSync(dir) === realpathSync(layerServer)

const withSlashes = (path: string) => path.replaceAll('\\', '/')

const requireOwn = createRequire(join(realpathSync(layerRoot), 'package.json'))
const ownFolders = ['drizzle-orm', 'zod'].map(name => `${withSlashes(dirname(requireOwn.resolve(name)))}/`)

/**
 * The layer's own copies of packages that start faster in the bundle: Node reads a package.json for each file of a package,
 * and Drizzle's has 180 KB, so that outside of it a start takes three times as long and 125 MB more. A function, because
 * nitro lets a pattern win only over a shorter path; and only these copies, because an app's may be of another version. A
 * development server would be built slower.
 */
const isOfManyFiles = (id: string) => ownFolders.some(folder => withSlashes(id).startsWith(folder))

/** What makes an app a host: both of these, which the layer has files of its own for where it is alone. */
const registries = {
  '#or3-sqlite/sync-registry': { host: 'sync/gateway/registry', own: 'host/sync-adapter/registry' },
  '#or3-sqlite/auth-registry': { host: 'auth/store/registry', own: 'workspaces/store/registry' },
}
const registryFiles = Object.values(registries).map(({ host }) => host)

/**
 * What a host may have besides: the function to call there (server/host/register.ts), and where to look for it, under
 * its server folder. The first file that is there counts.
 */
const hostRegistries = {
  registerAdminStoreProvider: ['admin/stores/registry'],
  registerProviderAdminAdapter: ['admin/providers/registry'],
  registerDeploymentAdminChecker: ['auth/deployment-admin', 'auth/deployment-admin/registry'],
  registerRateLimitProvider: ['utils/rate-limit/registry', 'rate-limit/registry'],
  registerBackgroundJobProvider: ['utils/background-jobs/registry', 'background-jobs/registry'],
  registerWebhookStore: ['utils/webhooks/store/registry', 'webhooks/store/registry'],
  registerConnectStore: ['connect/store/registry', 'utils/connect/store/registry'],
  emitWebhookSystemHook: ['utils/webhooks/runtime', 'webhooks/runtime'],
}

export default defineNuxtModule<SyncLayerOptions>({
  meta: { name: 'or3-layer-sqlite', configKey: 'or3Sqlite', compatibility: { nuxt: '>=4.5.0' } },
  async setup(options, nuxt) {
    const appServer = nuxt.options.serverDir
    const found = await Promise.all(registryFiles.map(name => resolveFile(appServer, name)))
    const isHosted = found.every(file => file !== undefined)
    if (!isHosted && found.some(file => file !== undefined)) {
      useLogger('or3-layer-sqlite').warn(`This app has only one of server/${registryFiles.join(' and server/')}: it is taken for no host, and the layer serves routes of its own.`)
    }
    Object.entries(registries).forEach(([alias, { own }], index) => {
      nuxt.options.alias[alias] = (isHosted && found[index]) || join(layerServer, `${own}.ts`)
    })
    nuxt.options.alias['#or3-sync'] = join(layerServer, 'index.ts')
    addVitePlugin(() => createServerOnlyPlugin(join(layerServer, 'index.ts')))

    const defaults = {
      dbPath: '', strict: '', allowInMemory: '', journalMode: '', synchronous: '', authProvider: '', workspaceName: '',
      limits: { maxBodyBytes: '', maxOpsPerPush: '', rateLimits: '', trustedProxies: '' },
      cleanUp: '', retentionDays: '', metrics: '', slowStatementMs: '',
    }
    // The app's own keys may have other types; and the environment overrides only keys that are there.
    const given = nuxt.options.runtimeConfig.or3Sqlite as unknown as Partial<typeof defaults> | undefined
    for (const sentence of [...findUnknownKeys('runtimeConfig.or3Sqlite', given, defaults), ...findUnknownKeys('or3Sqlite', { ...options }, knownOptions)]) {
      useLogger('or3-layer-sqlite').warn(sentence)
    }
    const merged = { ...defaults, ...given, limits: { ...defaults.limits, ...given?.limits } }
    Object.assign(nuxt.options.runtimeConfig, { or3Sqlite: merged })

    const backupCron = options.backupCron || process.env.OR3_SQLITE_BACKUP_CRON?.trim()
    if (backupCron) assertCron(backupCron)
    nuxt.hook('nitro:init', ({ options: { preset } }) => assertPreset(preset))
    nuxt.hook('nitro:config', (config) => {
      // A host cleans up by its own job.
      addTasks(config, [...isHosted ? [] : [{ name: 'sync:clean-up', cron: cleanUpCron }], { name: 'db:backup', cron: backupCron }])
      // A host's own routes are all there is; alone, the app's routes come first and win over the layer's.
      const others = (config.scanDirs ?? []).filter(dir => dir !== undefined && !isLayerServer(dir))
      config.scanDirs = isHosted ? others : [...others, layerServer]
      // The TypeScript of a package is transpiled and bundled; its own node_modules are not, for a native binding cannot be.
      config.externals ??= {}
      config.externals.inline = [...config.externals.inline ?? [], ...layerSources, ...nuxt.options.dev ? [] : [isOfManyFiles]]
      const esbuild = ((config.esbuild ??= {}).options ??= {})
      // The oldest Node that runs this has all of it; nitro's own choice, es2019, has no bigint.
      esbuild.target ??= 'es2022'
      esbuild.exclude = [esbuild.exclude ?? /node_modules/].flat().map(sparingLayer)
    })
    addServerPlugin(join(layerServer, 'plugins/sync-layer.ts'))

    const layerDrizzle = join(layerRoot, 'drizzle')
    const appDrizzle = join(nuxt.options.rootDir, options.migrationsDir ?? 'drizzle')
    const hasAppHistory = appDrizzle !== layerDrizzle && (options.migrationsDir || !isHosted ? isSqliteHistory(appDrizzle) : false)
    if (options.migrationsDir && !hasAppHistory) {
      useLogger('or3-layer-sqlite').warn(`or3Sqlite.migrationsDir is "${options.migrationsDir}", and no history of an SQLite database is in it: run drizzle-kit generate.`)
    }
    addServerTemplate({
      filename: '#or3-sqlite/migrations',
      getContents: () => [
        `export const layer = ${inlineMigrations(layerDrizzle)}`,
        `export const app = ${hasAppHistory ? inlineMigrations(appDrizzle) : '[]'}`,
      ].join('\n'),
    })
    const hostFiles = isHosted ? await findHostRegistries(appServer) : []
    addServerTemplate({
      filename: '#or3-sqlite/host',
      getContents: () => [
        ...hostFiles.map(({ file }, index) => `import * as registry${index} from ${JSON.stringify(file)}`),
        // A host of another release may have the file and not the function.
        'const find = (registry, name) => registry[name]',
        'export default {',
        ...hostFiles.map(({ name }, index) => `  ${name}: find(registry${index}, '${name}'),`),
        '}',
      ].join('\n'),
    })
    const relativeToTypes = (name: string) => withSlashes(relative(join(nuxt.options.buildDir, 'types'), join(layerServer, name)))
    addTypeTemplate({
      filename: 'types/or3-layer-sqlite.d.ts',
      getContents: () => `declare module '#or3-sqlite/migrations' {
  import type { Migration } from '${relativeToTypes('database/migrate')}'
  export const layer: readonly Migration[]
  export const app: readonly Migration[]
}
declare module '#or3-sqlite/host' {
  import type { HostRegistries } from '${relativeToTypes('host/register')}'
  const registries: HostRegistries
  export default registries
}
`,
    }, { nitro: true, nuxt: true, node: true })
    if (nuxt.options.dev) nuxt.options.watch.push(...[layerDrizzle, ...hasAppHistory ? [appDrizzle] : []].map(dir => join(dir, 'meta/_journal.json')))
  },
})

/** Where the app is to run: in one process, with a disk that stays. */
function assertPreset(preset: string) {
  if (/^node.cluster$/.test(preset)) throw new Error('The preset node-cluster starts several processes, and one database file belongs to one process: use node-server.')
  if (!/cloudflare|vercel|netlify|aws|azure|firebase|edge|deno.deploy|stormkit/.test(preset)) return
  useLogger('or3-layer-sqlite').warn(`The preset ${preset} has no disk that stays, or starts several processes: the database needs one of each. Use node-server.`)
}

/** Nitro would find out at the start, and answer every request with 500. */
function assertCron(pattern: string) {
  try {
    new Cron(pattern, { paused: true })
  }
  catch {
    throw new Error(`or3Sqlite.backupCron or OR3_SQLITE_BACKUP_CRON is ${JSON.stringify(pattern)}: set it to a cron pattern such as "0 3 * * *", every night at three.`)
  }
}

/** What the hook hands over of nitro's config: any part of it may be missing. */
interface TaskConfig {
  experimental?: { tasks?: boolean }
  tasks?: Record<string, { handler?: string, description?: string } | undefined>
  scheduledTasks?: Record<string, string | (string | undefined)[] | undefined>
}

/** The layer's tasks, by files of their names; scheduled where they have a pattern. An app's task of that name stays. */
function addTasks(config: TaskConfig, tasks: { name: string, cron: string | undefined }[]) {
  (config.experimental ??= {}).tasks = true
  for (const { name, cron } of tasks) {
    (config.tasks ??= {})[name] ??= { handler: join(layerServer, `tasks/${name.replace(':', '/')}.ts`) }
    if (cron) (config.scheduledTasks ??= {})[cron] = [...new Set([config.scheduledTasks[cron] ?? [], name].flat())]
  }
}

/** Nuxt spares layers that are extended from what it excludes with all node_modules; a listed module it does not. */
function sparingLayer<T>(pattern: T): T | RegExp {
  if (!(pattern instanceof RegExp)) return pattern
  const paths = layerSources.map(folder => `${withSlashes(folder)}/`.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^(?!${paths.join('|')}).*(?:${pattern.source})`, pattern.flags)
}

async function findHostRegistries(appServer: string): Promise<{ name: string, file: string }[]> {
  const found = await Promise.all(Object.entries(hostRegistries).map(async ([name, places]) => {
    const files = await Promise.all(places.map(place => resolveFile(appServer, place)))
    const file = files.find(one => one !== undefined)
    return file === undefined ? [] : [{ name, file }]
  }))
  return found.flat()
}

/** An app may keep the history of another database in a folder of that name. */
function isSqliteHistory(folder: string): boolean {
  const journal = join(folder, 'meta/_journal.json')
  if (!existsSync(journal)) return false
  const { dialect } = JSON.parse(readFileSync(journal, 'utf8')) as { dialect?: string }
  return dialect === 'sqlite' || dialect === 'turso'
}

async function resolveFile(dir: string, name: string): Promise<string | undefined> {
  return existsSync(dir) ? (await resolveFiles(dir, `${name}.{ts,mts,js,mjs}`))[0] : undefined
}

function inlineMigrations(folder: string): string {
  const migrations = readMigrationFiles({ migrationsFolder: folder })
  return JSON.stringify(migrations.map(({ sql, folderMillis, hash }) => ({ sql, folderMillis, hash })))
}
