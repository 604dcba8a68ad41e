/**
 * `#or3-sync` is for server code: a browser that loaded it would get zod, Drizzle and the engine. A value import of it
 * in an app's Vue code ends the build; a type import is erased before and passes.
 */
import { existsSync, realpathSync } from 'node:fs'

/** What is asked of a Vite or Rollup plugin here. */
interface ResolvePlugin {
  name: string
  enforce: 'pre'
  resolveId(source: string, importer: string | undefined): undefined
}

/** Makes the plugin. `entry` is the file that `#or3-sync` stands for. */
export function createServerOnlyPlugin(entry: string): ResolvePlugin {
  const real = existsSync(entry) ? realpathSync(entry) : entry
  return {
    name: 'or3-layer-sqlite:server-only',
    enforce: 'pre',
    resolveId(source, importer) {
      // By its name where the alias was not replaced yet.
      if (source !== '#or3-sync' && source !== entry && source !== real) return undefined
      throw new Error(`${importer ?? 'A file of the app'} imports "#or3-sync", which is for server code and would `
        + `bring the whole engine to the browser. Import its types with \`import type\`; use `
        + `"or3-layer-sqlite/shared" for what a client needs of it.`)
    },
  }
}
