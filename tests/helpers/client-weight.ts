/** What the client costs a browser: engine, storage, composables and live connection, as a bundler makes it. */
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('../..', import.meta.url))
const composables = [
  'useSyncedTable', 'useSyncStatus', 'useSyncFailures', 'useSyncWorkspace', 'useSyncSession', 'configureSync',
]
const parts = ['client/index', ...composables.map(name => `app/composables/${name}`)]

/**
 * All that an app's page loads of it, without Vue and Nuxt, which the app has anyway: `gzipBytes` of every file that
 * comes out, also of one that is loaded later, and the source files that went in.
 */
export async function weighClient(): Promise<{ gzipBytes: number, sources: string[] }> {
  const { outputFiles, metafile } = await build({
    stdin: {
      contents: parts.map(path => `export * from './${path}.ts'`).join('\n'), resolveDir: root, loader: 'ts',
    },
    bundle: true, splitting: true, outdir: 'out', minify: true, format: 'esm', target: 'es2022', platform: 'browser',
    write: false, metafile: true, absWorkingDir: root,
    external: ['#imports', 'vue'], define: { 'import.meta.server': 'false', 'import.meta.dev': 'false' },
  })
  const gzipBytes = outputFiles.reduce((sum, { contents }) => sum + gzipSync(contents, { level: 9 }).length, 0)
  return { gzipBytes, sources: Object.keys(metafile.inputs).filter(path => path !== '<stdin>') }
}
