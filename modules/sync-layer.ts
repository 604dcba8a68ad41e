/**
 * Build time: binds the layer to a host's registries where the app has them, else to its own; adds the start-up plugin
 * before the app's own plugins; inlines both migration histories; keeps the layer's routes out of an app that has a
 * host's. The same file works by `extends` and, as `or3-layer-sqlite/nuxt`, listed in `modules`.
 */
import { existsSync, realpathSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  addServerPlugin, addServerTemplate, addTypeTemplate, defineNuxtModule, resolveFiles, useLogger,
} from '@nuxt/kit'
import { readMigrationFiles } from 'drizzle-orm/migrator'

export interface SyncLayerOptions {
  /** The app's own drizzle folder, applied at start in a ledger of its own; default `drizzle` where it exists. */
  migrationsDir?: string
}

const layerRoot = fileURLToPath(new URL('..', import.meta.url)).replace(/[/\\]$/, '')
const layerServer = join(layerRoot, 'server')

/** A linked package has one name in `extends` and another here. */
const isLayerServer = (dir: string) => existsSync(dir) && realpathSync(dir) === realpathSync(layerServer)

/** The registries a host may have, each with the layer's own file that stands in for it. */
const registries = {
  '#or3-sqlite/sync-registry': { host: 'sync/gateway/registry', own: 'sync/gateway/registry.ts' },
  '#or3-sqlite/auth-registry': { host: 'auth/store/registry', own: 'auth/store/registry.ts' },
}

export default defineNuxtModule<SyncLayerOptions>({
  meta: { name: 'or3-layer-sqlite', configKey: 'or3Sqlite', compatibility: { nuxt: '>=4.0.0' } },
  async setup(options, nuxt) {
    const appServer = nuxt.options.serverDir
    const hostFiles = await Promise.all(Object.values(registries).map(({ host }) => resolveFile(appServer, host)))
    const isHosted = hostFiles.some(file => file !== undefined)
    Object.entries(registries).forEach(([alias, { own }], index) => {
      nuxt.options.alias[alias] = hostFiles[index] ?? join(layerServer, own)
    })
    nuxt.options.alias['#or3-sync'] = join(layerServer, 'index.ts')

    const defaults = {
      dbPath: '', strict: '', allowInMemory: '', journalMode: '', synchronous: '', authProvider: '',
      limits: { maxBodyBytes: '', maxOpsPerPush: '', rateLimits: '' },
    }
    nuxt.options.runtimeConfig.or3Sqlite = { ...defaults, ...nuxt.options.runtimeConfig.or3Sqlite as object }

    nuxt.hook('nitro:config', (config) => {
      // A host's own routes are all there is; alone, the app's routes come first and win over the layer's.
      const others = (config.scanDirs ?? []).filter(dir => dir !== undefined && !isLayerServer(dir))
      config.scanDirs = isHosted ? others : [...others, layerServer]
      // The TypeScript of a package is transpiled and bundled; its own node_modules are not, for a native binding cannot be.
      config.externals ??= {}
      config.externals.inline = [...config.externals.inline ?? [], layerServer]
      const esbuild = ((config.esbuild ??= {}).options ??= {})
      esbuild.exclude = [esbuild.exclude ?? /node_modules/].flat().map(sparingLayer)
    })
    addServerPlugin(join(layerServer, 'plugins/sync-layer.ts'))

    const layerDrizzle = join(layerRoot, 'drizzle')
    const appDrizzle = join(nuxt.options.rootDir, options.migrationsDir ?? 'drizzle')
    const hasAppHistory = appDrizzle !== layerDrizzle && existsSync(join(appDrizzle, 'meta/_journal.json'))
    if (options.migrationsDir && !hasAppHistory) {
      useLogger('or3-layer-sqlite').warn(`or3Sqlite.migrationsDir is "${options.migrationsDir}", and there is no meta/_journal.json in it: run drizzle-kit generate.`)
    }
    addServerTemplate({
      filename: '#or3-sqlite/migrations',
      getContents: () => [
        `export const layer = ${inlineMigrations(layerDrizzle)}`,
        `export const app = ${hasAppHistory ? inlineMigrations(appDrizzle) : '[]'}`,
      ].join('\n'),
    })
    addTypeTemplate({
      filename: 'types/or3-layer-sqlite.d.ts',
      getContents: () => `declare module '#or3-sqlite/migrations' {
  import type { Migration } from '${relative(join(nuxt.options.buildDir, 'types'), join(layerServer, 'db/migrate'))}'
  export const layer: readonly Migration[]
  export const app: readonly Migration[]
}
`,
    }, { nitro: true, nuxt: true, node: true })
    if (nuxt.options.dev) nuxt.options.watch.push(...[layerDrizzle, ...hasAppHistory ? [appDrizzle] : []].map(dir => join(dir, 'meta/_journal.json')))
  },
})

/** Nuxt spares layers that are extended from what it excludes with all node_modules; a listed module it does not. */
function sparingLayer<T>(pattern: T): T | RegExp {
  if (!(pattern instanceof RegExp)) return pattern
  const path = `${layerServer.replaceAll('\\', '/')}/`.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^(?!${path}).*(?:${pattern.source})`, pattern.flags)
}

async function resolveFile(dir: string, name: string): Promise<string | undefined> {
  return existsSync(dir) ? (await resolveFiles(dir, `${name}.{ts,mts,js,mjs}`))[0] : undefined
}

function inlineMigrations(folder: string): string {
  return JSON.stringify(readMigrationFiles({ migrationsFolder: folder }).map(({ sql, folderMillis, hash }) => ({ sql, folderMillis, hash })))
}
