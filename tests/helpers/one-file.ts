/**
 * A program of these tests as one file of JavaScript, for those that start it again and again: a start takes a third of
 * the time that hundreds of modules do.
 */
import { mkdirSync, renameSync } from 'node:fs'
import { basename, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'

const folder = fileURLToPath(new URL('../../node_modules/.cache/or3-tests', import.meta.url))
const made = new Map<string, string>()

/**
 * Bundles a program, once for this process, and returns the path of the bundle. `import.meta.url` is `program` in all of
 * it.
 */
export function makeOneFile(program: URL): string {
  const path = fileURLToPath(program)
  const known = made.get(path)
  if (known) return known
  const outfile = join(folder, `${basename(path, '.ts')}.mjs`)
  const own = `${outfile}.${process.pid}`
  mkdirSync(folder, { recursive: true })
  buildSync({
    entryPoints: [path], outfile: own, bundle: true, platform: 'node', format: 'esm', target: 'node22', logLevel: 'error',
    // A native module, which looks for its binary beside itself.
    external: ['libsql'],
    define: { 'import.meta.url': JSON.stringify(program.href) },
    // Packages in CommonJS ask for Node's own modules by it.
    banner: { js: `import { createRequire } from 'node:module'; const require = createRequire(${JSON.stringify(outfile)})` },
  })
  // In one step: other processes may be about to read it.
  renameSync(own, outfile)
  made.set(path, outfile)
  return outfile
}
