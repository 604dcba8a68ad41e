/**
 * T5: the server dies at a named point of a push, a migration, a clean-up or a backup, again and again in one file. What
 * it had acknowledged is there; what it was doing is there whole or not at all. Upholds P1 to P5.
 */
import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { verifyDatabase } from '../../server/operations/copy.ts'
import { call, type Device, makeOp, pushOnce, signIn } from './devices.ts'
import { type Check, createLedger, findDamage, type Ledger } from './ledger.ts'
import { type FaultyServer, type StartServer, startRooms } from './process.ts'

export interface CrashPointFigures extends Check {
  /** How often the server died at each point. */
  crashes: Record<string, number>
  acked: number
  contradictions: string[]
  /** Files with a backup's name that are no whole database. */
  brokenBackups: number
  /** Rows that no device can get any more though no clean-up may take them. */
  missingRows: number
}

const pushPoints = ['push:statement', 'push:before-commit', 'push:after-commit', 'push:before-answer', 'push:half-answer']
const migrationPoints = ['migration:statement', 'migration:before-commit', 'migration:after-commit']
const cleanUpPoints = ['clean-up:statement', 'clean-up:before-commit', 'clean-up:after-commit']

export async function runCrashPoints(folder: string, times: number): Promise<CrashPointFigures> {
  const dbPath = join(folder, 'pushes.db')
  const pushed = await crashInPushes(dbPath, times, startRooms)
  const { crashes, acked, contradictions, ...total } = pushed
  const note = createNote(crashes)
  for (const point of migrationPoints) {
    for (let turn = 1; turn <= times; turn++) {
      const path = join(folder, `${point.replace(':', '-')}-${turn}.db`)
      const at = point.endsWith('statement') ? String(turn * 3) : '1'
      const died = await startRooms(path, { CRASH_POINT: point, CRASH_AT: at }).then(server => server.kill().then(() => false), () => true)
      if (!died) continue
      crashes[point] = (crashes[point] ?? 0) + 1
      const server = await startRooms(path)
      const fresh = createLedger()
      for (const device of await signIn(server.url, 2)) await pushOnce(server.url, device, fresh)
      await server.stop()
      addTo(total, fresh.check(path))
    }
  }
  const missingRows = await crashInCleanUp(folder, times, note, total)
  const brokenBackups = await crashInBackup(dbPath, times, note)
  return { crashes, acked, ...total, contradictions, brokenBackups, missingRows }
}

type Note = (point: string, server: FaultyServer) => Promise<void>

function createNote(crashes: Record<string, number>): Note {
  return async (point, server) => {
    // The last words of a dying server may still be on their way.
    await server.ended
    crashes[point] = (crashes[point] ?? 0) + 1
  }
}

/** `start` starts the server; the control has one that answers too early. Ends with the first loss. */
export async function crashInPushes(dbPath: string, times: number, start: StartServer) {
  const crashes: Record<string, number> = {}
  const note = createNote(crashes)
  const ledger = createLedger()
  const total: Check = { lost: 0, duplicates: 0, holes: 0, wrongWinners: 0, ghosts: 0, damage: [] }
  let server = await start(dbPath)
  const devices = await signIn(server.url, 4)
  for (const point of pushPoints) {
    for (let turn = 1; turn <= times && total.lost === 0; turn++) {
      // A later statement each time, and a later push.
      await call(server.url, '', `/arm/${point}/${turn}`)
      await pushUntilDead(server, devices, ledger)
      await note(point, server)
      server = await start(dbPath)
      addTo(total, ledger.check(dbPath))
      // What got no answer goes again, and is known where it was committed.
      for (const device of devices) await pushOnce(server.url, device, ledger)
      addTo(total, ledger.check(dbPath))
    }
  }
  await server.stop()
  total.duplicates += ledger.contradictions.length
  return { crashes, acked: ledger.acked, ...total, contradictions: ledger.contradictions.slice(0, 3) }
}

async function pushUntilDead(server: FaultyServer, devices: readonly Device[], ledger: Ledger) {
  await Promise.all(devices.map(async (device) => {
    for (let turn = 0; turn < 200; turn++) {
      const failed = await pushOnce(server.url, device, ledger).then(() => false, () => true)
      if (failed) return
    }
  }))
}

/** A log full of what was superseded long ago; at the end every live row still has its newest change. */
async function crashInCleanUp(folder: string, times: number, note: Note, total: Check): Promise<number> {
  const dbPath = join(folder, 'clean-up.db')
  const device = { user: 'user-0', workspaceId: 'workspace-of-user-0', deviceId: 'device-0' }
  const newest = new Map<string, number>()
  let server = await startRooms(dbPath)
  for (const point of cleanUpPoints) {
    for (let turn = 1; turn <= times; turn++) {
      for (let batch = 0; batch < 3; batch++) {
        const ops = Array.from({ length: 400 }, () => makeOp(device)).filter(op => op.operation === 'put')
        await call(server.url, device.user, '/api/sync/push', { scope: { workspaceId: device.workspaceId }, ops })
      }
      age(dbPath)
      rememberWinners(dbPath, newest)
      await call(server.url, '', `/arm/${point}/${point.endsWith('statement') ? turn * 2 : 1 + turn % 3}`)
      const died = await call(server.url, device.user, '/clean-up').then(() => false, () => true)
      if (died) await note(point, server)
      else await server.kill()
      server = await startRooms(dbPath)
      total.damage.push(...damageOf(dbPath))
    }
  }
  await server.stop()
  return countMissing(dbPath, newest)
}

/** Everything in the log came two hours ago. */
function age(dbPath: string) {
  const database = new DatabaseSync(dbPath, { timeout: 5_000 })
  database.exec('update changes set created_at = created_at - 7200 where created_at > unixepoch() - 3600')
  database.close()
}

function rememberWinners(dbPath: string, newest: Map<string, number>) {
  const database = new DatabaseSync(dbPath, { readOnly: true })
  for (const { pk, server_version } of database.prepare('select pk, server_version from records').all()) newest.set(String(pk), Number(server_version))
  database.close()
}

function countMissing(dbPath: string, newest: ReadonlyMap<string, number>): number {
  const database = new DatabaseSync(dbPath, { readOnly: true })
  const stored = new Set(database.prepare('select c.server_version as version from records r join changes c using (log_id, server_version)').all().map(row => row['version']))
  database.close()
  return [...newest.values()].filter(version => !stored.has(version)).length
}

async function crashInBackup(dbPath: string, times: number, note: Note): Promise<number> {
  for (let turn = 1; turn <= times; turn++) {
    const server = await startRooms(dbPath, { CRASH_POINT: 'backup:copying', CRASH_AT: String(turn) })
    const died = await call(server.url, 'user-0', '/back-up').then(() => false, () => true)
    if (died) await note('backup:copying', server)
    else await server.kill()
  }
  const folder = join(dirname(dbPath), 'backups')
  let broken = 0
  for (const name of await readdir(folder).catch(() => [])) {
    if (name.endsWith('.db')) await verifyDatabase(join(folder, name)).catch(() => broken++)
  }
  return broken
}

function damageOf(dbPath: string): string[] {
  const database = new DatabaseSync(dbPath, { readOnly: true })
  const damage = findDamage(database)
  database.close()
  return damage
}

function addTo(total: Check, found: Check) {
  total.lost += found.lost
  total.duplicates += found.duplicates
  total.holes += found.holes
  total.wrongWinners += found.wrongWinners
  total.ghosts += found.ghosts
  total.damage.push(...found.damage)
}
