/**
 * T19: devices push while the file is taken away and brought back. What was acknowledged must be in the file. A file that
 * is replaced is the matter of tests/integration/database/file-identity.test.ts. Upholds P14.
 */
import { rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Device, pushOnce, signIn, type Witness } from './devices.ts'
import { type Check, createLedger } from './ledger.ts'
import type { FaultyServer, StartServer } from './process.ts'

export interface FileIdentityFigures extends Check {
  rounds: number
  acked: number
  /** Pushes that were refused because the file was not in its place. */
  refused: number
  /** Acknowledged while the file was away, and so for a file that nobody would find. */
  ackedAway: number
  /** How often the health called a lost file healthy, or one in its place not. */
  wrongHealth: number
  failures: string[]
}

/** Long enough for some commits on a slow machine, and for the health, which is computed once a second. */
const phaseMs = 1_200

/** Renames the file away and back `rounds` times under load. */
export async function runFileIdentity({ start, dbPath, rounds }: { start: StartServer, dbPath: string, rounds: number }): Promise<FileIdentityFigures> {
  const ledger = createLedger()
  const server = await start(dbPath)
  const devices = await signIn(server.url, 4)
  const figures = { rounds: 0, refused: 0, ackedAway: 0, wrongHealth: 0, failures: [] as string[] }
  const away = join(dirname(dbPath), 'away')
  const state = { over: false, isAway: false, renames: 0 }
  const pushing = devices.map(device => pushUntilOver(server, device))
  while (ledger.acked === 0 && server.isRunning) await sleep(20)
  for (; figures.rounds < rounds && server.isRunning; figures.rounds++) {
    await rename(dbPath, away)
    state.isAway = true
    await sleep(phaseMs)
    if (await readStatus(server) !== 503) figures.wrongHealth++
    state.isAway = false
    state.renames++
    await rename(away, dbPath)
    await sleep(phaseMs)
    if (await readStatus(server) !== 200) figures.wrongHealth++
  }
  state.over = true
  await Promise.all(pushing)
  await server.stop()
  return { ...figures, acked: ledger.acked, ...ledger.check(dbPath) }

  /** What was sent before the file went may still be answered, and what is answered after it came back may be. */
  function watchAway(): Witness {
    let sentAt: number | undefined
    return {
      sent(workspaceId, ops) {
        sentAt = state.isAway ? state.renames : undefined
        ledger.sent(workspaceId, ops)
      },
      told(workspaceId, receipts) {
        if (sentAt === state.renames) figures.ackedAway += receipts.filter(receipt => receipt.success).length
        ledger.told(workspaceId, receipts)
      },
    }
  }

  async function pushUntilOver({ url }: FaultyServer, device: Device) {
    const witness = watchAway()
    while (!state.over) {
      await pushOnce(url, device, witness).catch((error: unknown) => {
        if (/not in its place/.test(String(error))) figures.refused++
        else if (figures.failures.length < 3) figures.failures.push(String(error))
      })
      await sleep(1)
    }
  }
}

async function readStatus({ url }: FaultyServer): Promise<number> {
  const response = await fetch(new URL('/api/health', url))
  await response.arrayBuffer()
  return response.status
}
