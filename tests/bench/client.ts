/**
 * `npm run bench:client [-- --json] [-- --quick]`: the client's weight, and its work beside Dexie and TinyBase in a real
 * Chromium, each run in a fresh browser on the files of the one before. `floor` is the least that a start of ours can take:
 * the same texts read and parsed, and nothing else. The last line of `--json` is one object.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { chromium, type Page } from 'playwright-core'
import { weighClient } from '../helpers/client-weight.ts'

const { values } = parseArgs({ options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } } })
const runs = values.quick ? 1 : 5
const writes = values.quick ? 30 : 60
const changes = values.quick ? 20 : 40
/** Before those that count, so that no engine is measured before its code is compiled. */
const warmUps = 10
const names = ['ours', 'dexie', 'tinybase'] as const
type Name = (typeof names)[number]
type ByEngine<T> = Record<Name, T>
/** A browser that has just started keeps two processors busy for about so long, in milliseconds. */
const settleMs = 1_200

const folder = await mkdtemp(join(tmpdir(), 'or3-bench-client-'))
const server = await servePage()
const url = `http://localhost:${(server.address() as AddressInfo).port}/`
try {
  const { gzipBytes } = await weighClient()
  const small = await measure(20_000, writes, (page, count, rows) => (
    page.evaluate(([count, among]) => window.bench.writes(count, among), [count, rows] as const)
  ))
  const large = await measure(100_000, changes, (page, count, rows) => (
    page.evaluate(([count, among]) => window.bench.changes(count, among), [count, rows] as const)
  ))
  for (const name of names) {
    console.log(`${name}: 20,000 rows in ${small.starts[name]} ms, 100,000 in ${large.starts[name]} ms; `
      + `write to screen ${format(small.spreads[name])}; remote change ${format(large.spreads[name])}`)
  }
  console.log(`floor of ours: 20,000 rows in ${small.starts.floor} ms, 100,000 in ${large.starts.floor} ms`)
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
 * Fills a disk for each engine; then, in turn, starts from it and lets it `work` so many times, each time in a browser
 * that was not running and is the only one.
 */
async function measure(
  rows: number, count: number, work: (page: Page, count: number, rows: number) => Promise<number[]>,
) {
  const profileOf = (name: Name) => join(folder, `${name}-${rows}`)
  const open = async (name: Name) => {
    const page = await openPage(profileOf(name), name)
    await sleep(settleMs)
    return page
  }
  await Promise.all(names.map(async (name) => {
    const page = await openPage(profileOf(name), name)
    await page.evaluate(count => window.bench.fill(count), rows)
    await page.context().close()
  }))
  const starts = makeLists()
  const times = makeLists()
  const floors: number[] = []
  for (let run = 0; run < runs; run++) {
    const bare = await open('ours')
    floors.push(await bare.evaluate(() => window.bench.readFloor()))
    await bare.context().close()
    for (const name of names) {
      const page = await open(name)
      starts[name].push(await page.evaluate(count => window.bench.start(count), rows))
      await work(page, warmUps, rows)
      times[name].push(...await work(page, count, rows))
      await page.context().close()
    }
  }
  await Promise.all(names.map(name => rm(profileOf(name), { recursive: true, force: true })))
  const middle = (all: readonly number[]) => Math.round(spread(all).p50Ms)
  return { starts: { ...mapEngines(name => middle(starts[name])), floor: middle(floors) }, spreads: mapEngines(name => spread(times[name])) }
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
