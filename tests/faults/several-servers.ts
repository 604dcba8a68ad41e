/**
 * T22: several servers on one database server, of which any may be killed. Devices go to another server where one does not
 * answer; what they were told is compared with the data file of the database server. Upholds P13.
 */
import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startSqld, type Sqld } from '../helpers/sqld.ts'
import { type Device, pullOnce, pushOnce, signIn } from './devices.ts'
import { type Check, createLedger, type Ledger } from './ledger.ts'
import type { FaultyServer, StartServer } from './process.ts'

export interface SeveralServersOptions {
  start: StartServer
  folder: string
  servers?: number
  serverKills: number
  sqldKills: number
  /** How long the database server answers nothing, in the end; 0 leaves that out. */
  awayMs: number
  /** Servers are stopped one after the other and started again so many times. */
  restarts?: number
  clients?: number
  /** Ends the run as soon as something is wrong, for the controls. */
  untilWrong?: boolean
}

export interface SeveralServersFigures extends Check {
  serverKills: number
  sqldKills: number
  acked: number
  /** A device's own write that a pull from another server did not have. */
  missing: number
  falseSnapshots: number
  /** Answers that are neither a success nor a 503. */
  wrongAnswers: string[]
  contradictions: string[]
  /** From the database server's return to the last server's first acknowledged push. */
  longestRecoveryMs: number
  /** Requests that got an answer other than 503 while the database server was away. */
  servedWhileAway: number
}

export async function runSeveralServers({ start, folder, servers: count = 3, clients = 6, restarts = 0, ...options }: SeveralServersOptions): Promise<SeveralServersFigures> {
  const sqld = await startSqld({ folder })
  const servers = await Promise.all(Array.from({ length: count }, () => start(sqld.wsUrl)))
  const ledger = createLedger()
  const figures = { serverKills: 0, sqldKills: 0, missing: 0, falseSnapshots: 0, longestRecoveryMs: 0, servedWhileAway: 0 }
  const wrongAnswers: string[] = []
  const world: World = { servers, ledger, figures, wrongAnswers, running: true }
  const check = () => ledger.check(join(folder, 'data', 'dbs', 'default', 'data'))
  try {
    const devices = await signIn(servers[0]!.url, clients)
    const pushing = Promise.all(devices.map((device, index) => pushOn(world, device, index)))
    await untilAcked(world, 1)
    const kills = shuffle([...Array<string>(options.serverKills).fill('server'), ...Array<string>(options.sqldKills).fill('sqld')])
    for (const kill of kills) {
      await sleep(randomInt(20, 400))
      if (kill === 'sqld') await killSqld(world, sqld)
      else await killServer(world, start, sqld)
      if (options.untilWrong && (world.wrong || !isSound(check()))) break
    }
    for (let at = 0; at < restarts; at++) await restartServer(world, start, sqld, at % count)
    if (options.awayMs > 0) await measureAway(world, sqld, devices, options.awayMs)
    world.running = false
    await pushing
    const found = check()
    const { acked, contradictions } = ledger
    return { ...figures, acked, ...found, wrongAnswers: wrongAnswers.slice(0, 3), contradictions: contradictions.slice(0, 3) }
  }
  finally {
    world.running = false
    await Promise.all(servers.map(server => server.kill()))
    await sqld.stop()
  }
}

interface World {
  servers: FaultyServer[]
  ledger: Ledger
  figures: Omit<SeveralServersFigures, keyof Check | 'acked' | 'wrongAnswers' | 'contradictions'>
  wrongAnswers: string[]
  running: boolean
  /** A device was shown something wrong. */
  wrong?: boolean
}

function isSound({ lost, duplicates, holes, wrongWinners, ghosts, damage }: Check): boolean {
  return lost + duplicates + holes + wrongWinners + ghosts + damage.length === 0
}

/** Pushes by one server after the other, and looks for its own write on the next. */
async function pushOn(world: World, device: Device, first: number) {
  for (let at = first; world.running; at++) {
    const server = world.servers[at % world.servers.length]!
    try {
      await pushOnce(server.url, device, world.ledger)
      if (randomInt(3) === 0) await lookForOwn(world, device, at + 1)
    }
    catch (error) {
      await noteFailure(world, error)
    }
  }
}

async function lookForOwn(world: World, device: Device, at: number) {
  const version = world.ledger.newestOf(device.deviceId)
  if (version === undefined) return
  const { url } = world.servers[at % world.servers.length]!
  const { changes, requiresSnapshot } = await pullOnce(url, device, version - 1)
  // A pull may leave out a change that a later one of the same page has superseded.
  const newest = changes.at(-1)?.serverVersion ?? 0
  if (newest < version) world.figures.missing++
  if (requiresSnapshot) world.figures.falseSnapshots++
  world.wrong ||= newest < version || requiresSnapshot
  const exact = await pullOnce(url, device, version)
  if (exact.requiresSnapshot) world.figures.falseSnapshots++
  world.wrong ||= exact.requiresSnapshot
}

async function noteFailure(world: World, error: unknown) {
  const status = error instanceof Error ? /^(\d{3}) /.exec(error.message)?.[1] : undefined
  if (status !== undefined && status !== '503') world.wrongAnswers.push((error as Error).message)
  await sleep(randomInt(10, 60))
}

async function untilAcked(world: World, more: number, withinMs = 60_000) {
  const wanted = world.ledger.acked + more
  const until = performance.now() + withinMs
  while (world.ledger.acked < wanted) {
    if (performance.now() > until) throw new Error(`Nothing was acknowledged for ${withinMs} ms: ${world.servers.map(server => server.output().slice(-300)).join('\n')}`)
    await sleep(10)
  }
}

async function killServer(world: World, start: StartServer, sqld: Sqld) {
  const at = randomInt(world.servers.length)
  await world.servers[at]!.kill()
  world.figures.serverKills++
  world.servers[at] = await start(sqld.wsUrl)
}

async function killSqld(world: World, sqld: Sqld) {
  await sqld.kill()
  world.figures.sqldKills++
  await sleep(randomInt(0, 200))
  await sqld.start()
  await measureRecovery(world)
}

async function measureRecovery(world: World) {
  const since = performance.now()
  await untilAcked(world, 1)
  world.figures.longestRecoveryMs = Math.max(world.figures.longestRecoveryMs, Math.round(performance.now() - since))
}

/** As a rolling deploy: the old one ends by itself, the devices go on with the others. */
async function restartServer(world: World, start: StartServer, sqld: Sqld, at: number) {
  const old = world.servers[at]!
  world.servers[at] = await start(sqld.wsUrl)
  await old.stop()
  await untilAcked(world, 5)
}

/** No answer comes, and no connection is refused: the worst kind of away. */
async function measureAway(world: World, sqld: Sqld, devices: readonly Device[], awayMs: number) {
  sqld.halt()
  const until = performance.now() + awayMs
  while (performance.now() < until) {
    const answers = await Promise.all(world.servers.map(({ url }) => pullOnce(url, devices[0]!, 0).then(() => 'served', String)))
    world.figures.servedWhileAway += answers.filter(answer => !answer.includes('503')).length
  }
  sqld.goOn()
  await measureRecovery(world)
}

function shuffle<T>(items: T[]): T[] {
  for (let at = items.length - 1; at > 0; at--) {
    const other = randomInt(at + 1)
    ;[items[at], items[other]] = [items[other]!, items[at]!]
  }
  return items
}
