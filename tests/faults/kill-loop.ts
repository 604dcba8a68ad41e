/**
 * T4: devices push, the server is killed without a word, the file is opened again and compared with what the devices
 * were told; then on, in the same file, since slow damage shows only in what accumulates. Upholds P1 to P4.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Device, pushOnce, signIn } from './devices.ts'
import { type Check, createLedger } from './ledger.ts'
import type { FaultyServer, StartServer } from './process.ts'

export interface KillLoopOptions {
  start: StartServer
  dbPath: string
  kills: number
  clients?: number
  /** What somebody does to the dead server's files; for the controls. */
  afterKill?: (dbPath: string) => Promise<void>
}

export interface KillLoopFigures extends Check {
  kills: number
  acked: number
  /** Ops that were under way when the server died. */
  unanswered: number
  contradictions: string[]
  /** The longest time from a start to `listening`, with the recovery in it. */
  longestStartMs: number
}

export async function runKillLoop({ start, dbPath, kills, clients = 4, afterKill }: KillLoopOptions): Promise<KillLoopFigures> {
  const ledger = createLedger()
  const figures = { kills: 0, unanswered: 0, longestStartMs: 0 }
  const restart = async () => {
    const startedAt = performance.now()
    const server = await start(dbPath)
    figures.longestStartMs = Math.max(figures.longestStartMs, Math.round(performance.now() - startedAt))
    return server
  }
  let server = await restart()
  const devices = await signIn(server.url, clients)
  let found = ledger.check(dbPath)
  while (figures.kills < kills && isClean(found)) {
    const pushing = devices.map(device => pushUntilDead(server, device, ledger))
    await sleep(5 + Math.random() * 395)
    // A server that has acknowledged nothing yet has nothing to lose, and a slow machine may not have come to it.
    while (ledger.acked === 0 && server.isRunning) await sleep(20)
    await server.kill()
    await Promise.all(pushing)
    figures.kills++
    figures.unanswered += devices.reduce((sum, { store }) => sum + store.status.pending, 0)
    await afterKill?.(dbPath)
    server = await restart()
    // It listens before it has opened the file.
    await signIn(server.url, 1)
    found = ledger.check(dbPath)
  }
  await server.stop()
  const { acked, contradictions } = ledger
  const duplicates = found.duplicates + contradictions.length
  return { ...figures, acked, ...found, duplicates, contradictions: contradictions.slice(0, 3) }
}

async function pushUntilDead(server: FaultyServer, device: Device, ledger: ReturnType<typeof createLedger>) {
  for (;;) {
    try {
      await pushOnce(server.url, device, ledger)
    }
    catch (error) {
      // An answer that is no success is not what a kill looks like.
      if (error instanceof Error && /^\d{3} /.test(error.message)) ledger.contradictions.push(error.message)
      return
    }
  }
}

export function isClean({ lost, duplicates, holes, wrongWinners, ghosts, damage }: Check): boolean {
  return lost + duplicates + holes + wrongWinners + ghosts + damage.length === 0
}
