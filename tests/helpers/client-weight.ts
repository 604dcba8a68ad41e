/** What the client costs a browser: engine, storage, composables and live connection, as an app's own bundler makes it. */
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build, type Rolldown } from 'vite'

const root = fileURLToPath(new URL('../..', import.meta.url))
const entry = 'virtual:client'
const composables = [
  'useSyncedTable', 'useSyncStatus', 'useSyncFailures', 'useSyncWorkspace', 'useSyncSession', 'configureSync',
]
const parts = ['client/index', ...composables.map(name => `app/composables/${name}`)]

/**
 * All that an app's page loads of it, without Vue and Nuxt, which the app has anyway: `gzipBytes` of every file that
 * comes out, also of one that is loaded later, and the source files that went in.
 */
export async function weighClient(): Promise<{ gzipBytes: number, sources: string[] }> {
  const { output } = await build({
    root, configFile: false, logLevel: 'error', define: { 'import.meta.server': 'false', 'import.meta.dev': 'false' },
    plugins: [{
      name: 'client',
      resolveId: id => id === entry ? id : undefined,
      load: id => id === entry ? parts.map(path => `export * from '${root}${path}.ts'`).join('\n') : undefined,
    }],
    build: {
      write: false, target: 'es2022',
      rolldownOptions: { input: entry, preserveEntrySignatures: 'strict', external: ['#imports', 'vue'] },
    },
  }) as Rolldown.RolldownOutput
  const chunks = output.filter(file => file.type === 'chunk')
  return {
    gzipBytes: chunks.reduce((sum, { code }) => sum + gzipSync(code, { level: 9 }).length, 0),
    sources: chunks.flatMap(({ moduleIds }) => moduleIds).filter(id => id.startsWith(root)).map(id => id.slice(root.length)),
  }
}
