/** Where the package's files are, and how paths are compared. */
import { existsSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { resolveFiles } from '@nuxt/kit'

/** The package's folder. */
export const layerRoot = fileURLToPath(new URL('../..', import.meta.url)).replace(/[/\\]$/, '')
/** The package's server folder. */
export const layerServer = join(layerRoot, 'server')
/** The folders whose TypeScript runs in a server. */
export const layerSources = [layerServer, join(layerRoot, 'shared')]

/** Whether `dir` is the package's server folder. A linked package has one path in `extends` and another here. */
export function isLayerServer(dir: string): boolean {
  return existsSync(dir) && realpathSync(dir) === realpathSync(layerServer)
}

/** The path with forward slashes, as bundlers write it. */
export function withSlashes(path: string): string {
  return path.replaceAll('\\', '/')
}

/** The source file `name`, without its extension, in `dir`; undefined where there is none. */
export async function resolveSource(dir: string, name: string): Promise<string | undefined> {
  return existsSync(dir) ? (await resolveFiles(dir, `${name}.{ts,mts,js,mjs}`))[0] : undefined
}
