/**
 * Two devices without a browser: one imports the sample history, the other reads it, and both must be equal.
 * `npm run demo` starts the built playground for it; `-- --url http://…` uses a server that already runs, `-- --json`
 * prints the result for machines. Ends with 1 unless the devices are equal and nothing is pending.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { createHttpTransport } from '../client/index.ts'
import { fingerprint } from './shared/fingerprint.ts'
import { readChatExport } from './shared/read-export.ts'
import { type DemoDevice, openDevice } from './demo/device.ts'
import { describeResult, formatResult } from './demo/result.ts'
import { signIn } from './demo/sign-in.ts'
import { startServer } from './demo/server.ts'

const USER = 'demo'
/** The rate limits of the routes count by the minute, so no wait is longer; more rounds than this help nobody. */
const MAX_WAITS = 5

await main().catch((error: unknown) => {
  console.error(`demo: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
})

async function main(): Promise<void> {
  const { url, json } = readOptions()
  const server = url ? undefined : await startServer()
  try {
    const result = await exchange(url ?? server!.url, server !== undefined)
    console.log(json ? JSON.stringify(result, null, 2) : formatResult(result))
    if (!result.ok) process.exitCode = 1
  }
  finally {
    await server?.stop()
  }
}

function readOptions(): { url?: string | undefined, json: boolean } {
  const { values } = parseArgs({ options: { url: { type: 'string' }, json: { type: 'boolean', default: false } } })
  if (values.url && !URL.canParse(values.url)) throw new Error(`--url wants an address such as http://127.0.0.1:3000.`)
  return { url: values.url?.replace(/\/$/, ''), json: values.json }
}

async function exchange(baseUrl: string, isFresh: boolean) {
  const headers = { 'x-demo-user': USER }
  const id = await signIn(baseUrl, headers)
  const transport = createHttpTransport({ baseUrl, headers })
  const a = await openDevice('demo-a', transport, id)
  const b = await openDevice('demo-b', transport, id)
  // Both are there before the import: what follows reaches them change by change.
  for (const device of [a, b]) await syncPatiently(device)
  const earlier = { ...b.figures }

  const ops = readChatExport(readSample(), id.userId)
  await a.store.importOps(ops)
  const imported = await fingerprint(a.store)
  const leave = a.store.subscribe(createProgress(ops.length, () => a.store.status.pending))
  await syncPatiently(a)
  leave()
  await syncPatiently(b)
  // What others wrote meanwhile, should the server not be ours alone.
  await syncPatiently(a)
  // A workspace that was in use holds more than the sample: then only the two devices can be compared.
  return describeResult({ a, b, earlier, imported: isFresh ? imported : undefined })
}

function readSample(): unknown {
  return JSON.parse(readFileSync(new URL('../tests/fixtures/history.json', import.meta.url), 'utf8'))
}

/** One run, and more after each "not so fast". */
async function syncPatiently(device: DemoDevice): Promise<void> {
  let report = await device.sync()
  for (let wait = 0; wait < MAX_WAITS && report.error?.retryAfterSeconds !== undefined; wait++) {
    const seconds = report.error.retryAfterSeconds
    console.error(`The server asks to wait for ${seconds} s.`)
    await new Promise(resolve => setTimeout(resolve, seconds * 1000))
    report = await device.sync()
  }
  if (report.error) throw new Error(`The sync of ${device.name} ended early: ${report.error.message}`)
}

function createProgress(all: number, countPending: () => number): () => void {
  let shown = 0
  return () => {
    const done = all - countPending()
    const isDue = process.stderr.isTTY ? done > shown : done >= shown + 1000 || (done === all && done > shown)
    if (!isDue) return
    shown = done
    const line = `pushed ${done} of ${all} ops`
    process.stderr.write(
      process.stderr.isTTY && done < all ? `\r${line}` : `${process.stderr.isTTY ? '\r' : ''}${line}\n`,
    )
  }
}
