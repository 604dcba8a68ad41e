/**
 * Build time: binds the layer to a host's registries where the app has them, else to its own; adds the start-up plugin
 * before the app's plugins; inlines both migration histories; keeps the layer's routes out of a host. The same file
 * works by `extends` and, as `or3-layer-sqlite/nuxt`, listed in `modules`.
 */
import { join, relative } from 'node:path'
import process from 'node:process'
import {
  addServerPlugin, addServerTemplate, addTypeTemplate, addVitePlugin,
  defineNuxtModule, useLogger,
} from '@nuxt/kit'
import { findUnknownKeys } from '../server/config/known-settings.ts'
import { assertNodeVersion } from '../server/lib/node-version.ts'
import { assertCron, assertPreset } from './build/checks.ts'
import { addDevtoolsTab } from './build/devtools-tab.ts'
import { bindRegistries, findHostRegistries, writeHostRegistries } from './build/host-registries.ts'
import { isSqliteHistory, writeMigrations } from './build/migrations.ts'
import { configureNitro } from './build/nitro.ts'
import { createServerOnlyPlugin } from './build/server-only.ts'
import { layerRoot, layerServer, withSlashes } from './build/paths.ts'

export interface SyncLayerOptions {
  /** The app's own drizzle folder, applied at start in a ledger of its own; default `drizzle` where it exists. */
  migrationsDir?: string
  /** When to back up, as a cron pattern; also `OR3_SQLITE_BACKUP_CRON` at build time. Without one: never. */
  backupCron?: string
}

/** The keys of `or3Sqlite` in a `nuxt.config.ts`. */
const knownOptions = { migrationsDir: '', backupCron: '' } satisfies Required<SyncLayerOptions>

const runtimeDefaults = {
  dbPath: '', authToken: '', replicaUrl: '', strict: '', allowInMemory: '', journalMode: '', synchronous: '',
  authProvider: '', workspaceName: '',
  limits: {
    maxBodyBytes: '', maxOpsPerPush: '', rateLimits: '', trustedProxies: '', servers: '', maxBytesInFlight: '',
    maxUserBytesInFlight: '', maxRequestsInFlight: '', maxUserRequestsInFlight: '', maxRequestsPerSocket: '',
    idleSeconds: '', maxWorkspaceBytes: '', maxWorkspaceRows: '', maxOwnerBytes: '', maxOwnerRows: '',
    diskReserveBytes: '', maxDevicesPerUser: '', logLinesPerMinute: '',
  },
  cleanUp: '', retentionDays: '', metrics: '', slowStatementMs: '',
}

export default defineNuxtModule<SyncLayerOptions>({
  meta: { name: 'or3-layer-sqlite', configKey: 'or3Sqlite', compatibility: { nuxt: '>=4.0.0' } },
  async setup(options, nuxt) {
    assertNodeVersion(process.version)
    const appServer = nuxt.options.serverDir
    const { isHosted, aliases } = await bindRegistries(appServer)
    for (const [alias, file] of Object.entries(aliases)) {
      nuxt.options.alias[alias] = 'hostFile' in file ? file.hostFile : join(layerServer, file.own)
    }
    nuxt.options.alias['#or3-sync'] = join(layerServer, 'index.ts')
    addVitePlugin(() => createServerOnlyPlugin(join(layerServer, 'index.ts')))

    // The app's own keys may have other types; and the environment overrides only keys that are there.
    const given = nuxt.options.runtimeConfig['or3Sqlite'] as unknown as Partial<typeof runtimeDefaults> | undefined
    const unknown = [
      ...findUnknownKeys('runtimeConfig.or3Sqlite', given, runtimeDefaults),
      ...findUnknownKeys('or3Sqlite', { ...options }, knownOptions),
    ]
    for (const sentence of unknown) useLogger('or3-layer-sqlite').warn(sentence)
    const limits = { ...runtimeDefaults.limits, ...given?.limits }
    Object.assign(nuxt.options.runtimeConfig, { or3Sqlite: { ...runtimeDefaults, ...given, limits } })

    const backupCron = options.backupCron || process.env['OR3_SQLITE_BACKUP_CRON']?.trim()
    if (backupCron) assertCron(backupCron)
    nuxt.hook('nitro:init', ({ options: { preset } }) => assertPreset(preset))
    nuxt.hook('nitro:config', config => configureNitro(config, { isHosted, isDev: nuxt.options.dev, backupCron }))
    addServerPlugin(join(layerServer, 'plugins/sync-layer.ts'))

    const layerDrizzle = join(layerRoot, 'drizzle')
    const appDrizzle = findAppDrizzle(nuxt.options.rootDir, options.migrationsDir, { isHosted, layerDrizzle })
    addServerTemplate({
      filename: '#or3-sqlite/migrations',
      getContents: () => writeMigrations(layerDrizzle, appDrizzle),
    })
    const hostFiles = isHosted ? await findHostRegistries(appServer) : []
    addServerTemplate({ filename: '#or3-sqlite/host', getContents: () => writeHostRegistries(hostFiles) })
    const typesFolder = join(nuxt.options.buildDir, 'types')
    addTypeTemplate(
      { filename: 'types/or3-layer-sqlite.d.ts', getContents: () => writeTypes(typesFolder) },
      { nitro: true, nuxt: true, node: true },
    )
    if (nuxt.options.dev && !isHosted) addDevtoolsTab()
    if (nuxt.options.dev) {
      const folders = [layerDrizzle, ...appDrizzle === undefined ? [] : [appDrizzle]]
      nuxt.options.watch.push(...folders.map(dir => join(dir, 'meta/_journal.json')))
    }
  },
})

interface Histories { isHosted: boolean, layerDrizzle: string }

/** The folder of the app's own history, where there is one. A host's folder counts only where it is set. */
function findAppDrizzle(
  rootDir: string,
  given: string | undefined,
  { isHosted, layerDrizzle }: Histories,
): string | undefined {
  const folder = join(rootDir, given ?? 'drizzle')
  const counts = folder !== layerDrizzle && (Boolean(given) || !isHosted)
  if (counts && isSqliteHistory(folder)) return folder
  if (given) {
    useLogger('or3-layer-sqlite').warn(
      `or3Sqlite.migrationsDir is "${given}", and no history of an SQLite database is in it: run drizzle-kit generate.`,
    )
  }
  return undefined
}

/** The types of the layer's virtual modules, for a file in `folder`. */
function writeTypes(folder: string): string {
  const pathTo = (name: string) => withSlashes(relative(folder, join(layerServer, name)))
  return `declare module '#or3-sqlite/migrations' {
  import type { Migration } from '${pathTo('database/migrate')}'
  export const layer: readonly Migration[]
  export const app: readonly Migration[]
}
declare module '#or3-sqlite/host' {
  import type { HostRegistries } from '${pathTo('host/register')}'
  const registries: HostRegistries
  export default registries
}
`
}
