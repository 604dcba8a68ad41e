/**
 * `npm run bench:client [-- --json] [-- --quick]`: the client's weight, and its work beside Dexie and TinyBase in a real
 * Chromium, each run in a fresh browser on the files of the one before. The last line of `--json` is one object.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { chromium, type Page } from 'playwright-core'
import { weighClient } from '../helpers/client-weight.ts'

const { values } = parseArgs({ options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } } })
const runs = values.quick ? 1 : 5
const rounds = values.quick ? 2 : 10
const writesARound = values.quick ? 20 : 30
const changesARound = values.quick ? 6 : 20
const names = ['ours', 'dexie', 'tinybase'] as const
type Name = (typeof names)[number]
type ByEngine<T> = Record<Name, T>

const folder = await mkdtemp(join(tmpdir(), 'or3-bench-client-'))
const server = await servePage()
const url = `http://localhost:${(server.address() as AddressInfo).port}/`
try {
  const { gzipBytes } = await weighClient()
  const small = await measure(20_000, (page, rows) => (
    page.evaluate(([count, among]) => window.bench.writes(count, among), [writesARound, rows] as const)
  ))
  const large = await measure(100_000, (page, rows) => (
    page.evaluate(([count, among]) => window.bench.changes(count, among), [changesARound, rows] as const)
  ))
  for (const name of names) {
    console.log(`${name}: 20,000 rows in ${small.starts[name]} ms, 100,000 in ${large.starts[name]} ms; `
      + `write to screen ${format(small.spreads[name])}; remote change ${format(large.spreads[name])}`)
  }
  const { ours, ...others } = small.spreads
  console.log(`our client, composables and live connection: ${gzipBytes} bytes gzipped`)
  const start = { rows20k: small.starts, rows100k: large.starts }
  const result = { gzipBytes, start, writeToScreen: { ...ours, ...others }, remoteChange: large.spreads }
  if (values.json) console.log(JSON.stringify(result))
}
finally {
  server.close()
  await rm(folder, { recursive: true, force: true })
}

interface Spread { p50Ms: number, p99Ms: number }

function spread(times: readonly number[]): Spread {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (part: number) => round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN)
  return { p50Ms: at(0.5), p99Ms: at(0.99) }
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10
}

function format({ p50Ms, p99Ms }: Spread): string {
  return `${p50Ms} ms (p99 ${p99Ms} ms)`
}

/**
 * Fills a disk for each engine; starts from it, each time in a browser that was not running; then lets all of them
 * `work`, in turn. What the machine does beside falls on all alike.
 */
async function measure(rows: number, work: (page: Page, rows: number) => Promise<number[]>) {
  const profileOf = (name: Name) => join(folder, `${name}-${rows}`)
  const open = (name: Name) => openPage(profileOf(name), name)
  const start = (page: Page) => page.evaluate(count => window.bench.start(count), rows)
  await Promise.all(names.map(async (name) => {
    const page = await open(name)
    await page.evaluate(count => window.bench.fill(count), rows)
    await page.context().close()
  }))
  const starts = makeLists()
  const pages = {} as ByEngine<Page>
  for (let run = 0; run < runs; run++) {
    for (const name of names) {
      pages[name] = await open(name)
      starts[name].push(await start(pages[name]))
      // The browsers of the last run stay open for the work.
      if (run < runs - 1) await pages[name].context().close()
    }
  }
  const times = makeLists()
  for (let round = 0; round < rounds; round++) {
    for (const name of names) times[name].push(...await work(pages[name], rows))
  }
  for (const name of names) {
    await pages[name].context().close()
    await rm(profileOf(name), { recursive: true, force: true })
  }
  return { starts: mapEngines(name => Math.round(spread(starts[name]).p50Ms)), spreads: mapEngines(name => spread(times[name])) }
}

function mapEngines<T>(make: (name: Name) => T): ByEngine<T> {
  return Object.fromEntries(names.map(name => [name, make(name)])) as ByEngine<T>
}

function makeLists(): ByEngine<number[]> {
  return mapEngines(() => [])
}

async function openPage(profile: string, engine: string): Promise<Page> {
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium', headless: true,
    // A window that another one covers is not slowed down.
    args: [
      '--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu',
      '--disable-backgrounding-occluded-windows', '--disable-renderer-backgrounding',
    ],
  })
  const page = await context.newPage()
  await page.goto(`${url}?engine=${engine}`)
  await page.waitForFunction(() => 'bench' in window)
  return page
}

async function servePage() {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('client-page.ts', import.meta.url))],
    bundle: true, format: 'esm', target: 'es2022', minify: true, write: false,
    define: { 'process.env.NODE_ENV': '"production"', '__VUE_OPTIONS_API__': 'false', '__VUE_PROD_DEVTOOLS__': 'false', '__VUE_PROD_HYDRATION_MISMATCH_DETAILS__': 'false' },
  })
  const script = outputFiles[0]!.text
  const page = createServer((request, response) => {
    const isScript = request.url === '/page.js'
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html')
    response.end(isScript ? script : '<!doctype html><title>bench</title><body><script type="module" src="/page.js"></script>')
  })
  await new Promise<void>(resolve => page.listen(0, '127.0.0.1', resolve))
  return page
}
