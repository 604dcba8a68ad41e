#!/usr/bin/env node
// @ts-check
/**
 * The package ships its TypeScript as it is, and Node strips no types under node_modules: this does it for the
 * package's own files, then starts the command (cli/command.ts).
 */
import { readFileSync } from 'node:fs'
import * as nodeModule from 'node:module'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const root = new URL('..', import.meta.url).href
/** The package's TypeScript. */
const sources = ['cli/', 'server/', 'shared/'].map(folder => new URL(folder, root).href)

if (!nodeModule.registerHooks || !nodeModule.stripTypeScriptTypes) {
  process.stderr.write(`or3-layer-sqlite needs Node 22.19 or 24.11, or a later one; this is ${process.version}.\n`)
  process.exit(1)
}

// Of these two experimental parts of Node nobody who moves a database needs to hear: SQLite, type stripping.
const { emitWarning } = process
process.emitWarning = /** @type {typeof emitWarning} */ ((warning, ...rest) => {
  if (rest[0] !== 'ExperimentalWarning') Reflect.apply(emitWarning, process, [warning, ...rest])
})

nodeModule.registerHooks({
  load(url, context, nextLoad) {
    if (!url.endsWith('.ts') || !sources.some(folder => url.startsWith(folder))) return nextLoad(url, context)
    const source = nodeModule.stripTypeScriptTypes(readFileSync(fileURLToPath(url), 'utf8'))
    return { format: 'module', source, shortCircuit: true }
  },
})

const stop = new AbortController()
// A restore has nothing to tidy up that the next one would not: it ends as any process does.
const signals = process.argv[2] === 'restore' ? [] : /** @type {const} */ (['SIGINT', 'SIGTERM'])
for (const signal of signals) process.once(signal, () => stop.abort())

const { runCommand } = await import(new URL('cli/command.ts', root).href)
process.exitCode = await runCommand(process.argv.slice(2), process.env, process, stop.signal)
