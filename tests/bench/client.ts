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
const writes = values.quick ? 60 : 300
const changes = values.quick ? 20 : 100
const names = ['ours', 'dexie', 'tinybase'] as const
type ByEngine<T> = Record<(typeof names)[number], T>

const folder = await mkdtemp(join(tmpdir(), 'or3-bench-client-'))
const server = await servePage()
const url = `http://localhost:${(server.address() as AddressInfo).port}/`
try {
  const { gzipBytes } = await weighClient()
  const start = { rows20k: {} as ByEngine<number>, rows100k: {} as ByEngine<number> }
  const written = {} as ByEngine<Spread>
  const remoteChange = {} as ByEngine<Spread>
  for (const name of names) {
    const small = await measure(name, 20_000, page => page.evaluate(count => window.bench.writes(count), writes))
    const large = await measure(name, 100_000, page => page.evaluate(count => window.bench.changes(count, 100_000), changes))
    start.rows20k[name] = small.startMs
    start.rows100k[name] = large.startMs
    written[name] = spread(small.times)
    remoteChange[name] = spread(large.times)
    console.log(`${name}: 20,000 rows in ${small.startMs} ms, 100,000 in ${large.startMs} ms; write to screen ${format(written[name])}; remote change ${format(remoteChange[name])}`)
  }
  const { ours, ...others } = written
  console.log(`our client, composables and live connection: ${gzipBytes} bytes gzipped`)
  if (values.json) console.log(JSON.stringify({ gzipBytes, start, writeToScreen: { ...ours, ...others }, remoteChange }))
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

/** Fills a browser's disk, then starts from it, each time in a browser that was not running; `work` in the last one. */
async function measure(name: string, rows: number, work: (page: Page) => Promise<number[]>) {
  const profile = join(folder, `${name}-${rows}`)
  await inBrowser(profile, name, page => page.evaluate(count => window.bench.fill(count), rows))
  const starts: number[] = []
  let times: number[] = []
  for (let run = 0; run < runs; run++) {
    await inBrowser(profile, name, async (page) => {
      starts.push(await page.evaluate(count => window.bench.start(count), rows))
      if (run === runs - 1) times = await work(page)
    })
  }
  await rm(profile, { recursive: true, force: true })
  return { startMs: Math.round(starts.toSorted((a, b) => a - b)[runs >> 1]!), times }
}

async function inBrowser<T>(profile: string, engine: string, work: (page: Page) => Promise<T>): Promise<T> {
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium', headless: true,
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
  })
  try {
    const page = await context.newPage()
    await page.goto(`${url}?engine=${engine}`)
    await page.waitForFunction(() => 'bench' in window)
    return await work(page)
  }
  finally {
    await context.close()
  }
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
