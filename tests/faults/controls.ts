/**
 * The negative controls: the same runs on what is known to be faulty. Each is right when it finds the fault; a harness
 * that was never seen red proves nothing.
 */
import { copyFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createClient } from '@libsql/client'
import { driverCode } from '../../server/database/driver-error.ts'
import { runAbuse } from './abuse.ts'
import { runBusy } from './busy.ts'
import { crashInPushes } from './crash-points.ts'
import type { makeOp } from './devices.ts'
import { runKillLoop } from './kill-loop.ts'
import { runFileIdentity } from './file-identity.ts'
import { fillDisk, inQuickFolder, migrations } from './layer.ts'
import { runLimits } from './limits.ts'
import { runNthCall } from './nth-call.ts'
import { startBuilt, startRooms } from './process.ts'
import { type RestoreOptions, runRestore } from './restore.ts'
import { maxWalBytes, type Scenario } from './scenarios.ts'
import { runSeveralServers } from './several-servers.ts'

/** A loss is found with the first or second; on a slow machine later. */
const mostKills = 20
const mostBusyMs = 2_000

export const serverControls: Record<string, Scenario> = {
  async ackBeforeCommit(folder) {
    const start = (path: string) => startRooms(path, { ACK_EARLY: '1' })
    const { lost, acked, kills } = await runKillLoop({ start, dbPath: join(folder, 'early.db'), kills: mostKills })
    return { ok: lost > 0, figures: { lost, acked, kills } }
  },
  async ackBeforeBatch(folder) {
    const start = (path: string) => startRooms(path, { ACK_EARLY: '1' })
    const { lost, acked } = await runSeveralServers({ start, folder, serverKills: mostKills, sqldKills: 0, awayMs: 0, untilWrong: true })
    return { ok: lost > 0, figures: { lost, acked } }
  },
  async headRemembered(folder) {
    const start = (path: string) => startRooms(path, { REMEMBER_HEAD: '1' })
    const { missing, falseSnapshots, acked } = await runSeveralServers({ start, folder, serverKills: mostKills, sqldKills: 0, awayMs: 0, untilWrong: true })
    return { ok: missing + falseSnapshots > 0, figures: { missing, falseSnapshots, acked } }
  },
  async answerBeforeCrash(folder) {
    const start = (path: string, env?: Record<string, string>) => startRooms(path, { ...env, ACK_EARLY: '1' })
    const { lost, acked } = await crashInPushes(join(folder, 'early.db'), 1, start)
    return { ok: lost > 0, figures: { lost, acked } }
  },
  async fileUnchecked(folder) {
    const start = (path: string) => startRooms(path, { FILE_UNCHECKED: '1' })
    const { ackedAway, wrongHealth } = await runFileIdentity({ start, dbPath: join(folder, 'unchecked.db'), rounds: 2 })
    return { ok: ackedAway > 0 && wrongHealth > 0, figures: { ackedAway, wrongHealth } }
  },
  async readerStays(folder) {
    const { walBytes, acked } = await runLimits(startBuilt, join(folder, 'stays.db'), { loadMs: 0, idleClients: 0, cuts: 0, readMs: 600_000, untilWalBytes: maxWalBytes })
    return { ok: walBytes >= maxWalBytes, figures: { walBytes, acked } }
  },
  async walDropped(folder) {
    const afterKill = (path: string) => rm(`${path}-wal`, { force: true })
    const { lost, acked, kills } = await runKillLoop({ start: startBuilt, dbPath: join(folder, 'dropped.db'), kills: mostKills, afterKill })
    return { ok: lost > 0, figures: { lost, acked, kills } }
  },
  async snapshotIgnored(folder) {
    const figures = await restoreOnce(folder, { ignoreSnapshot: true })
    return { ok: figures.silent > 0 && figures.diverged > 0, figures }
  },
  async walLeftOut(folder) {
    const found = await restoreOnce(folder, { copy: (dbPath, file) => copyFile(dbPath, file) })
      .then(({ lost }) => ({ lost }), (error: unknown) => ({ error: String(error) }))
    // Where the log was never emptied yet, the file has not even its tables.
    return { ok: 'error' in found ? /no such table|not whole/.test(found.error) : found.lost > 0, figures: found }
  },
  async putBackByHand(folder) {
    const { silent, duplicates, diverged } = await restoreOnce(folder, { putBack: (file, dbPath) => copyFile(file, dbPath) })
    // A device that comes after the others is told nothing; which one does is chance. That versions come twice is not.
    return { ok: silent + duplicates > 0, figures: { silent, duplicates, diverged } }
  },
}

export const loneControls: Record<string, Scenario> = {
  async budgetsOff(folder, { attackMs }) {
    const limits = ['MAX_BYTES_IN_FLIGHT', 'MAX_USER_BYTES_IN_FLIGHT', 'MAX_REQUESTS_IN_FLIGHT', 'MAX_USER_REQUESTS_IN_FLIGHT', 'MAX_REQUESTS_PER_SOCKET']
    const env = Object.fromEntries(limits.map(name => [`NUXT_OR3_SQLITE_LIMITS_${name}`, '1000000000000']))
    const only = ['unreadAnswers', 'stalledBodies', 'unreadWinners']
    const figures = await runAbuse({ start: startBuilt, dbPath: join(folder, 'off.db'), attackMs: Math.max(attackMs, 8_000), togetherMs: 30_000, env, only, untilBroken: true })
    return { ok: figures.broken.length > 0, figures }
  },
}

export const localControls: Record<string, Scenario> = {
  // https://github.com/tursodatabase/libsql-client-ts/issues/352
  async busyIgnored(folder, { busyMs }) {
    const { lost, acked, holds } = await runPlainClient(folder, { timeout: 0, holdMs: [5, 80], busyMs })
    return { ok: lost > 0, figures: { lost, acked, holds } }
  },
  async waitsInDriver(folder, { busyMs }) {
    const { longestStopMs, holds } = await runPlainClient(folder, { timeout: 1_000, holdMs: [100, 200], busyMs })
    return { ok: longestStopMs > 50, figures: { longestStopMs, holds } }
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
    const { lost, swallowed } = await runNthCall({ folder, migrations, tell })
    return { ok: lost > 0 && swallowed.length > 0, figures: { lost, swallowed: swallowed.length } }
  },
}

function restoreOnce(folder: string, options: Partial<RestoreOptions>) {
  return runRestore({ start: startBuilt, dbPath: join(folder, 'control.db'), restores: 1, migrations: migrations.layer, ...options })
}

function runPlainClient(folder: string, { timeout, holdMs, busyMs }: { timeout: number, holdMs: readonly [number, number], busyMs: number }) {
  return inQuickFolder(folder, async (own) => {
    const path = join(own, 'plain.db')
    const client = createClient({ url: `file:${path}`, concurrency: 1, timeout })
    await client.executeMultiple('PRAGMA journal_mode = WAL; CREATE TABLE rows (id TEXT PRIMARY KEY)')
    return runBusy({
      path, write: id => client.execute({ sql: 'INSERT INTO rows VALUES (?)', args: [id] }), close: () => client.close(),
      idsSql: 'SELECT id FROM rows', isRefusal: error => driverCode(error) === 'SQLITE_BUSY', holdMs, durationMs: Math.min(busyMs, mostBusyMs),
    })
  })
}
