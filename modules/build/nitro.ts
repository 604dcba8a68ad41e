/** The layer's part of Nitro's config: its tasks, its routes, and how its TypeScript gets into the bundle. */
import { realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { isLayerServer, layerRoot, layerServer, layerSources, withSlashes } from './paths.ts'

/** Not on the hour, when everybody's jobs start. */
const cleanUpCron = '17 * * * *'

const requireOwn = createRequire(join(realpathSync(layerRoot), 'package.json'))
const ownFolders = ['drizzle-orm', 'zod'].map(name => `${withSlashes(dirname(requireOwn.resolve(name)))}/`)

/**
 * Matches the layer's own copies of two packages with many files. They start faster in the bundle: Node reads a
 * package.json for each file of a package, and Drizzle's has 180 KB, so that outside of the bundle a start takes three
 * times as long and 125 MB more. It is a function, because Nitro lets a pattern win only over a shorter path. An app's
 * copies may be of another version, so only the layer's own match.
 */
const isOfManyFiles = (id: string) => ownFolders.some(folder => withSlashes(id).startsWith(folder))

/** The hook's Nitro config; any part of it may be missing. */
interface NitroConfig {
  experimental?: { tasks?: boolean }
  tasks?: Record<string, { handler?: string, description?: string } | undefined>
  scheduledTasks?: Record<string, string | (string | undefined)[] | undefined>
  scanDirs?: (string | undefined)[]
  externals?: { inline?: unknown[] }
  esbuild?: { options?: { target?: unknown, exclude?: unknown } }
}

interface Surroundings {
  isHosted: boolean
  isDev: boolean
  backupCron: string | undefined
}

/** Changes the config in place. */
export function configureNitro(given: object, { isHosted, isDev, backupCron }: Surroundings): void {
  const config: NitroConfig = given
  // In a host the clean-up is started by the host's own job, or by its owners' clients.
  addTasks(config, [
    ...isHosted ? [] : [{ name: 'sync:clean-up', cron: cleanUpCron }],
    { name: 'db:backup', cron: backupCron },
  ])
  // A host serves its own routes only. In another app its routes come first and win over the layer's.
  const others = (config.scanDirs ?? []).filter(dir => dir !== undefined && !isLayerServer(dir))
  config.scanDirs = isHosted ? others : [...others, layerServer]
  // The TypeScript is transpiled and bundled. The package's own node_modules stay outside, for a native binding cannot
  // be bundled. A development server would be built more slowly with the packages of many files.
  config.externals ??= {}
  config.externals.inline = [...config.externals.inline ?? [], ...layerSources, ...isDev ? [] : [isOfManyFiles]]
  const esbuild = ((config.esbuild ??= {}).options ??= {})
  // The oldest Node that runs this has all of it; Nitro's own choice, es2019, has no bigint.
  esbuild.target ??= 'es2022'
  esbuild.exclude = [esbuild.exclude ?? /node_modules/].flat().map(sparingLayer)
}

/** Adds the layer's tasks, scheduled where they have a pattern. An app's task of the same name stays. */
function addTasks(config: NitroConfig, tasks: { name: string, cron: string | undefined }[]) {
  (config.experimental ??= {}).tasks = true
  for (const { name, cron } of tasks) {
    (config.tasks ??= {})[name] ??= { handler: join(layerServer, `tasks/${name.replace(':', '/')}.ts`) }
    if (cron) (config.scheduledTasks ??= {})[cron] = [...new Set([config.scheduledTasks[cron] ?? [], name].flat())]
  }
}

/** Nuxt excludes node_modules from esbuild, but spares extended layers; a listed module it does not spare. */
function sparingLayer<T>(pattern: T): T | RegExp {
  if (!(pattern instanceof RegExp)) return pattern
  const paths = layerSources.map(folder => `${withSlashes(folder)}/`.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^(?!${paths.join('|')}).*(?:${pattern.source})`, pattern.flags)
}
