/** What the client costs a browser, as a bundler makes it; and that nothing of a server or a framework is in it. */
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { expect, it } from 'vitest'

const entry = fileURLToPath(new URL('../../../client/index.ts', import.meta.url))
/** The whole client may have 20 KB. The live connection is in this figure, the composables come on top. */
const maxGzipBytes = 20 * 1024

it('has 20 KB at most, without Node, Vue or zod', async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: [entry], bundle: true, minify: true, format: 'esm', target: 'es2022', platform: 'browser',
    write: false, metafile: true,
  })
  const bytes = gzipSync(outputFiles[0]!.contents, { level: 9 }).length
  console.log(`The client has ${bytes} bytes, gzipped.`)
  expect(bytes).toBeLessThan(maxGzipBytes)
  const files = Object.keys(metafile.inputs)
  expect(files.filter(file => !/^(client|shared)\/|^node_modules\/(idb|eventsource-parser)\//.test(file))).toEqual([])
})
