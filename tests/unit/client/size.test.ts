/** What the client costs a browser, as a bundler makes it; and that nothing of a server or a framework is in it. */
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { expect, it } from 'vitest'

const entry = fileURLToPath(new URL('../../../client/index.ts', import.meta.url))
/** The whole client may have 20 KB; the composables come on top of this. */
const maxGzipBytes = 17_600
/** The live connection is loaded apart, once a store is open. */
const maxLiveGzipBytes = 5_500

it('has 20 KB at most, without Node, Vue or zod', async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: [entry], bundle: true, minify: true, format: 'esm', target: 'es2022', platform: 'browser',
    write: false, metafile: true, splitting: true, outdir: 'out',
  })
  const isLive = (path: string) => /\/live-\w+\.js$/.test(path)
  const sizeOf = (files: typeof outputFiles) => files
    .reduce((sum, { contents }) => sum + gzipSync(contents, { level: 9 }).length, 0)
  const live = sizeOf(outputFiles.filter(({ path }) => isLive(path)))
  const engine = sizeOf(outputFiles.filter(({ path }) => !isLive(path)))
  console.log(`The engine has ${engine} bytes, gzipped, and the live connection ${live}.`)
  expect(engine).toBeLessThan(maxGzipBytes)
  expect(live).toBeGreaterThan(0)
  expect(live).toBeLessThan(maxLiveGzipBytes)
  const files = Object.keys(metafile.inputs)
  expect(files.filter(file => !/^(client|shared)\/|^node_modules\/(?:idb|eventsource-parser)\//.test(file))).toEqual([])
})
