/** The fault runs on the layer, and on what is known to be faulty, each with sizes and with the figures it must have. */
import { randomUUID } from 'node:crypto'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createClient } from '@libsql/client'
import { sql } from 'drizzle-orm'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { isError } from 'h3'
import { readDatabaseConfig } from '../../server/db/config.ts'
import { driverCode } from '../../server/db/driver-error.ts'
import { openDatabase, type SyncDatabase } from '../../server/db/open.ts'
import { createSyncGatewayAdapter } from '../../server/sync/gateway/adapter.ts'
import { runBusy } from './busy.ts'
import { runCrashPoints } from './crash-points.ts'
import { makeOp } from './devices.ts'
import { makeSmallDisk, runDiskFull } from './disk-full.ts'
import { isClean, runKillLoop } from './kill-loop.ts'
import { createLedger } from './ledger.ts'
import { runLimits } from './limits.ts'
import { runLoopDelay } from './loop-delay.ts'
import { runNthCall } from './nth-call.ts'
import { startBuilt, startRooms } from './process.ts'
import { runRestore } from './restore.ts'

export interface Sizes {
  kills: number
  busyMs: number
  diskCycles: number
  crashesPerPoint: number
  restores: number
  rows: number
  loadMs: number
  idleClients: number
}

export interface Outcome { ok: boolean, figures: object }

export type Scenario = (folder: string, sizes: Sizes) => Promise<Outcome>

const migrations = { layer: readMigrationFiles({ migrationsFolder: fileURLToPath(new URL('../../drizzle', import.meta.url)) }), app: [] }
const workspaceId = 'workspace-1'
const session = { authenticated: true, provider: 'test', providerUserId: 'u', user: { id: 'u' }, workspace: { id: workspaceId, name: 'W' }, role: 'owner' }
const event = { context: { __or3_session_context_1_test: session } } as never

function open(path: string): Promise<SyncDatabase> {
  return openDatabase(readDatabaseConfig({ OR3_SQLITE_DB_PATH: path, OR3_SQLITE_PRAGMA_SYNCHRONOUS: 'FULL' }), migrations)
}

/** Twice what the server lets it grow to while readers come and go. */
const maxWalBytes = 64 * 2 ** 20

/** A push of one row, whose answer and op go into the ledger. */
function createPusher(database: SyncDatabase) {
  const ledger = createLedger()
  const adapter = createSyncGatewayAdapter(async () => database)
  return {
    ledger,
    async push(pk: string, bytes = 100) {
      const op = { ...makeOp({ workspaceId, deviceId: 'device-1' }), operation: 'put' as const, tableName: 'kv', pk }
      const payload = { id: pk, name: pk, value: 'x'.repeat(bytes), deleted: false, created_at: 1, updated_at: 1, clock: op.stamp.clock }
      ledger.sent(workspaceId, [{ ...op, payload }])
      const { results } = await adapter.push(event, { scope: { workspaceId }, ops: [{ ...op, payload }] })
      ledger.told(workspaceId, results)
    },
  }
}

export const scenarios: Record<string, Scenario> = {
  async killLoop(folder, { kills }) {
    const figures = await runKillLoop({ start: startBuilt, dbPath: join(folder, 'kill.db'), kills })
    return { ok: isClean(figures) && figures.kills === kills && figures.acked > kills, figures }
  },
  async crashPoints(folder, { crashesPerPoint }) {
    const figures = await runCrashPoints(folder, crashesPerPoint)
    const crashed = Object.values(figures.crashes).reduce((sum, count) => sum + count, 0)
    return { ok: isClean(figures) && figures.brokenBackups + figures.missingRows === 0 && crashed >= 10 * crashesPerPoint, figures }
  },
  async busy(folder, { busyMs }) {
    const isRight = (all: Awaited<ReturnType<typeof runOnce>>) =>
      isClean(all) && all.failures.length === 0 && all.holds >= Math.min(100, busyMs / 100) && all.acked > 0
    const runOnce = async () => {
      // In memory-backed storage where there is some: a disk that is slow for others' sake would look like a stop of ours.
      const own = await mkdtemp('/dev/shm/or3-busy-').catch(() => mkdtemp(join(folder, 'busy-')))
      const path = join(own, 'busy.db')
      const database = await open(path)
      const { push, ledger } = createPusher(database)
      const figures = await runBusy({
        path, write: id => push(id), close: database.close, holdMs: [5, 80], durationMs: busyMs,
        idsSql: 'select pk as id from changes', isRefusal: error => isError(error) && error.statusCode === 503,
      })
      const { lost, ...found } = ledger.check(path)
      await rm(own, { recursive: true, force: true })
      return { ...figures, ...found, lost: figures.lost + lost, ghosts: figures.ghosts + found.ghosts }
    }
    // Other work on the machine stops the loop too, now and then; a driver that waits would stop it in every run.
    let all = await runOnce()
    for (let run = 1; run < 3 && isRight(all) && all.longestStopMs >= 50; run++) all = await runOnce()
    return { ok: isRight(all) && all.longestStopMs < 50, figures: all }
  },
  async diskFull(_folder, { diskCycles }) {
    const figures = await fillDisk(diskCycles, answer => answer)
    const { lost, ghosts, duplicates, holes, stuck, failures, refused } = figures
    return { ok: lost + ghosts + duplicates + holes + stuck + failures.length === 0 && refused > 0, figures }
  },
  async nthCall(folder) {
    const figures = await runNthCall({ folder, migrations })
    return { ok: isClean(figures) && figures.swallowed.length + figures.stuck.length === 0 && (figures.failed.push ?? 0) > 3, figures }
  },
  async restore(folder, { restores }) {
    const figures = await runRestore({ start: startBuilt, dbPath: join(folder, 'restore.db'), restores, migrations: migrations.layer })
    const { lost, holes, duplicates, silent, diverged, acked } = figures
    return { ok: lost + holes + duplicates + silent + diverged === 0 && acked > 0, figures }
  },
  async limits(folder, { loadMs, idleClients }) {
    const figures = await runLimits(startBuilt, join(folder, 'limits.db'), { loadMs, idleClients, cuts: 20 })
    const { walBytes, rssMb, rssIdleMb } = figures
    return { ok: isClean(figures) && figures.acked > 0 && walBytes < maxWalBytes && rssIdleMb < rssMb + 100, figures }
  },
  async loopDelay(folder, { rows }) {
    const database = await open(join(folder, 'loop.db'))
    const figures = await runLoopDelay(database, rows)
    await database.close()
    const { backup, snapshot, cleanUp, control } = figures
    const isShort = [backup, snapshot, cleanUp].every(({ maxMs, p99Ms }) => maxMs < 200 && p99Ms < 50)
    return { ok: isShort && backup.maxMs < 100 && control.maxMs >= 200, figures }
  },
}

/** Each is right when it finds the fault. */
export const controls: Record<string, Scenario> = {
  async ackBeforeCommit(folder) {
    const start = (path: string) => startRooms(path, { ACK_EARLY: '1' })
    const { lost, acked, kills } = await runKillLoop({ start, dbPath: join(folder, 'early.db'), kills: 20 })
    return { ok: lost > 0, figures: { lost, acked, kills } }
  },
  async answerBeforeCrash(folder) {
    const start = (path: string, env?: Record<string, string>) => startRooms(path, { ...env, ACK_EARLY: '1' })
    const { lost, acked } = await runCrashPoints(folder, 1, start)
    return { ok: lost > 0, figures: { lost, acked } }
  },
  async readerStays(folder, { loadMs }) {
    const { walBytes, acked } = await runLimits(startBuilt, join(folder, 'stays.db'), { loadMs, idleClients: 0, cuts: 0, readMs: 600_000, untilWalBytes: maxWalBytes })
    return { ok: walBytes >= maxWalBytes, figures: { walBytes, acked } }
  },
  async walDropped(folder) {
    const afterKill = (path: string) => rm(`${path}-wal`, { force: true })
    const { lost, acked, kills } = await runKillLoop({ start: startBuilt, dbPath: join(folder, 'dropped.db'), kills: 10, afterKill })
    return { ok: lost > 0, figures: { lost, acked, kills } }
  },
  // https://github.com/tursodatabase/libsql-client-ts/issues/352
  async busyIgnored(folder) {
    const path = join(folder, 'naive.db')
    const client = createClient({ url: `file:${path}`, concurrency: 1, timeout: 0 })
    await client.executeMultiple('PRAGMA journal_mode = WAL; CREATE TABLE rows (id TEXT PRIMARY KEY)')
    const { lost, acked } = await runBusy({
      path, write: id => client.execute({ sql: 'INSERT INTO rows VALUES (?)', args: [id] }), close: () => client.close(),
      idsSql: 'SELECT id FROM rows', isRefusal: error => driverCode(error) === 'SQLITE_BUSY', holdMs: [5, 80], durationMs: 2_000,
    })
    return { ok: lost > 0, figures: { lost, acked } }
  },
  async fullToldAsSuccess() {
    const { lost, acked } = await fillDisk(2, answer => answer.catch(() => {}))
    return { ok: lost > 0, figures: { lost, acked } }
  },
  async faultSwallowed(folder) {
    const tell = <T>(answer: Promise<T>, ops: ReturnType<typeof makeOp>[]) => answer.catch(() => {
      const results = ops.map(({ stamp: { opId } }, index) => ({ opId, success: true, serverVersion: 1_000_000 + index }))
      return { results, serverVersion: 0 } as T
    })
    const { lost, swallowed } = await runNthCall({ folder: join(folder), migrations, tell })
    return { ok: lost > 0 && swallowed.length > 0, figures: { lost, swallowed: swallowed.length } }
  },
  async snapshotIgnored(folder) {
    const figures = await runRestore({ start: startBuilt, dbPath: join(folder, 'ignored.db'), restores: 1, migrations: migrations.layer, ignoreSnapshot: true })
    return { ok: figures.silent > 0 && figures.diverged > 0, figures }
  },
  async walLeftOut(folder) {
    const copy = (dbPath: string, file: string) => copyFile(dbPath, file)
    const found = await runRestore({ start: startBuilt, dbPath: join(folder, 'left-out.db'), restores: 1, migrations: migrations.layer, copy })
      .then(({ lost }) => ({ lost }), (error: unknown) => ({ error: String(error) }))
    // Where the log was never emptied yet, the file has not even its tables.
    return { ok: 'error' in found ? /no such table|not whole/.test(found.error) : found.lost > 0, figures: found }
  },
  async putBackByHand(folder) {
    const putBack = (file: string, dbPath: string) => copyFile(file, dbPath)
    const { silent, duplicates, diverged } = await runRestore({ start: startBuilt, dbPath: join(folder, 'by-hand.db'), restores: 1, migrations: migrations.layer, putBack })
    return { ok: silent > 0 && duplicates > 0, figures: { silent, duplicates, diverged } }
  },
}

async function fillDisk(cycles: number, tell: (answer: Promise<unknown>) => Promise<unknown>) {
  let database: SyncDatabase
  const limitPages = (extra: number | undefined) => database.write(async (tx) => {
    const [page] = await tx.all<{ page_count: number }>(sql`PRAGMA page_count`)
    await tx.run(sql.raw(`PRAGMA max_page_count = ${extra === undefined ? 2 ** 30 : page!.page_count + extra}`))
  })
  const disk = await makeSmallDisk(limitPages)
  try {
    database = await open(join(disk.folder, `${randomUUID()}.db`))
    const { push } = createPusher(database)
    const uneven = { duplicates: 0, holes: 0 }
    const read = async () => (await database.read.all<{ pk: string }>(sql`select pk from changes`)).map(row => row.pk)
    const figures = await runDiskFull({
      disk, cycles, readIds: read, write: (id, bytes) => tell(push(id, bytes)),
      isRefusal: error => isError<{ code?: string }>(error) && error.data?.code === 'DATABASE_FULL',
      async deleteAll() {
        const pks = await read()
        uneven.duplicates += pks.length - new Set(pks).size
        const [head] = await database.read.all<{ head: number }>(sql`select head from heads`)
        uneven.holes += Math.abs((head?.head ?? 0) - pks.length)
        for (const table of ['changes', 'records', 'heads']) await database.write(tx => tx.run(sql`delete from ${sql.identifier(table)}`))
      },
    })
    await database.close()
    return { ...figures, ...uneven }
  }
  finally {
    await disk.remove()
  }
}
