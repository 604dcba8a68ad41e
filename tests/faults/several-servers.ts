/**
 * T22: several servers on one database server, of which any may be killed. Their clocks are an hour apart, and one of them
 * reaches the database by a slow network. Devices go to another server where one does not answer; what they were told is
 * compared with the data file of the database server. Upholds P13.
 */
import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { startSqld, type Sqld } from '../helpers/sqld.ts'
import { call, type Device, pullOnce, pushOnce, signIn } from './devices.ts'
import { isClean } from './kill-loop.ts'
import { type Check, createLedger, type Ledger } from './ledger.ts'
import { type FaultyServer, otherClock, type StartServer } from './process.ts'
import { slowDown } from './slow-network.ts'

export interface SeveralServersOptions {
  start: StartServer
  folder: string
  serverKills: number
  sqldKills: number
  /** How long the database server answers nothing, in the end; 0 leaves that out. */
  awayMs: number
  /** So many times a server is stopped, as by a rolling deploy, after a new one has begun. */
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
  /** Requests that failed, for whatever reason, while servers were stopped and started one after the other. */
  failedInRestarts: string[]
  /** From the database server's return until every server has acknowledged a push and says that it is healthy. */
  longestRecoveryMs: number
  /** Requests that got an answer other than 503, and pushes that were acknowledged, while the database was away. */
  servedWhileAway: number
  /** Changes whose stored moment is not of the database server's clock. */
  foreignMoments: number
}

/** What a ping of the slow network takes. */
const pingMs = 50
const hourMs = 3_600_000
/** Between a server's last request and its end. */
const leaveMs = 200

export async function runSeveralServers({ start, folder, clients = 6, restarts = 0, ...options }: SeveralServersOptions): Promise<SeveralServersFigures> {
  const startedAt = Date.now()
  const sqld = await startSqld({ folder })
  const slow = await slowDown(Number(new URL(sqld.wsUrl).port), pingMs)
  const startAt = [
    () => start(sqld.wsUrl),
    () => start(sqld.wsUrl, otherClock(hourMs)),
    () => start(`ws://127.0.0.1:${slow.port}`),
  ]
  const servers = await Promise.all(startAt.map(startOne => startOne()))
  const ledger = createLedger()
  const figures = { serverKills: 0, sqldKills: 0, missing: 0, falseSnapshots: 0, longestRecoveryMs: 0, servedWhileAway: 0 }
  const world: World = {
    servers, startAt, sqld, ledger, figures, acks: servers.map(() => 0), wrongAnswers: [], failures: [], running: true,
  }
  const dataFile = join(folder, 'data', 'dbs', 'default', 'data')
  try {
    const devices = await signIn(servers[0]!.url, clients)
    const pushing = Promise.all(devices.map((device, index) => pushOn(world, device, index)))
    await untilAcked(world, 1)
    const kills = shuffle([...Array<string>(options.serverKills).fill('server'), ...Array<string>(options.sqldKills).fill('sqld')])
    for (const kill of kills) {
      await sleep(randomInt(20, 400))
      if (kill === 'sqld') await killSqld(world)
      else await killServer(world)
      if (options.untilWrong && (world.wrong || !isClean(ledger.check(dataFile)))) break
    }
    const failedInRestarts = restarts > 0 ? await restartInTurn(world, restarts) : []
    if (options.awayMs > 0) await measureAway(world, devices, options.awayMs)
    world.running = false
    await pushing
    const { acked, contradictions } = ledger
    return {
      ...figures, acked, ...ledger.check(dataFile), foreignMoments: countForeignMoments(dataFile, startedAt),
      failedInRestarts: failedInRestarts.slice(0, 3), wrongAnswers: world.wrongAnswers.slice(0, 3), contradictions: contradictions.slice(0, 3),
    }
  }
  finally {
    world.running = false
    await Promise.all(servers.map(server => server.kill()))
    slow.close()
    await sqld.stop()
  }
}

interface World {
  servers: FaultyServer[]
  /** Each starts a server in the place of one. */
  startAt: (() => Promise<FaultyServer>)[]
  sqld: Sqld
  ledger: Ledger
  figures: Pick<SeveralServersFigures, 'serverKills' | 'sqldKills' | 'missing' | 'falseSnapshots' | 'longestRecoveryMs' | 'servedWhileAway'>
  /** How often each server has acknowledged a device's push. */
  acks: number[]
  wrongAnswers: string[]
  /** Every request that failed. */
  failures: string[]
  running: boolean
  /** A device was shown something wrong. */
  wrong?: boolean
}

/** Pushes by one server after the other, and looks for its own write on the next. */
async function pushOn(world: World, device: Device, first: number) {
  for (let at = first; world.running; at++) {
    const place = at % world.servers.length
    try {
      await pushOnce(() => world.servers[place]!.url, device, world.ledger)
      world.acks[place]!++
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
  const urlOf = () => world.servers[at % world.servers.length]!.url
  const { changes, requiresSnapshot } = await pullOnce(urlOf(), device, version - 1)
  // A pull may leave out a change that a later one of the same page has superseded.
  const newest = changes.at(-1)?.serverVersion ?? 0
  if (newest < version) world.figures.missing++
  if (requiresSnapshot) world.figures.falseSnapshots++
  world.wrong ||= newest < version || requiresSnapshot
  const exact = await pullOnce(urlOf(), device, version)
  if (exact.requiresSnapshot) world.figures.falseSnapshots++
  world.wrong ||= exact.requiresSnapshot
}

async function noteFailure(world: World, error: unknown) {
  const said = describe(error)
  world.failures.push(said)
  const status = /^(\d{3}) /.exec(said)?.[1]
  if (status !== undefined && status !== '503') world.wrongAnswers.push(said)
  await sleep(randomInt(10, 60))
}

/** With its causes: `fetch` says only there why it failed. */
function describe(error: unknown): string {
  const said: string[] = []
  for (let at = error; at instanceof Error; at = at.cause) said.push(at.message)
  return said.length > 0 ? said.join(' < ') : String(error)
}

async function untilAcked(world: World, more: number, withinMs = 60_000) {
  const wanted = world.ledger.acked + more
  await until(() => world.ledger.acked >= wanted, withinMs, () =>
    `Nothing was acknowledged for ${withinMs} ms: ${world.servers.map(describeServer).join('; ')}`)
}

/** Each of the servers has acknowledged a push since this began. */
async function untilEachAcked(world: World) {
  const before = [...world.acks]
  await until(() => world.acks.every((acks, place) => acks > before[place]!), 60_000, () =>
    `Not every server acknowledges: ${before} and ${world.acks}. ${world.servers.map(describeServer).join('; ')}. ${world.failures.slice(-6).join('; ')}`)
}

/** Whether it runs, and what it said last. */
function describeServer(server: FaultyServer): string {
  return `${server.isRunning ? 'runs' : 'has ended'}: ${server.output().trim().slice(-300)}`
}

async function until(isSo: () => boolean, withinMs: number, explain: () => string) {
  for (const end = performance.now() + withinMs; !isSo(); await sleep(10)) {
    if (performance.now() > end) throw new Error(explain())
  }
}

async function killServer(world: World) {
  const at = randomInt(world.servers.length)
  await world.servers[at]!.kill()
  world.figures.serverKills++
  world.servers[at] = await world.startAt[at]!()
}

async function killSqld(world: World) {
  await world.sqld.kill()
  world.figures.sqldKills++
  await sleep(randomInt(0, 200))
  await world.sqld.start({ forgets: true })
  // Nothing may be acknowledged yet, and a server that starts just now waits.
  await sleep(randomInt(0, 200))
  await world.sqld.setDurability('strong')
  await measureRecovery(world)
}

async function measureRecovery(world: World) {
  const since = performance.now()
  await untilEachAcked(world)
  await Promise.all(world.servers.map(server => untilHealthy(server)))
  world.figures.longestRecoveryMs = Math.max(world.figures.longestRecoveryMs, Math.round(performance.now() - since))
}

async function untilHealthy({ url }: FaultyServer) {
  while (await call(url, 'nobody', '/api/health').then(() => false, () => true)) await sleep(50)
}

/** As a rolling deploy: a new one takes the requests, the old one answers what it has and ends by itself. */
async function restartInTurn(world: World, restarts: number): Promise<string[]> {
  await untilEachAcked(world)
  const before = world.failures.length
  for (let count = 0; count < restarts; count++) {
    const at = count % world.servers.length
    const old = world.servers[at]!
    world.servers[at] = await world.startAt[at]!()
    // What was sent just before has to arrive: a server that stops takes no new connection.
    await sleep(leaveMs)
    await old.stop()
    await untilEachAcked(world)
  }
  return world.failures.slice(before)
}

/** No answer comes, and no connection is refused: the worst kind of away. */
async function measureAway(world: World, devices: readonly Device[], awayMs: number) {
  const { sqld, servers, figures, ledger } = world
  // A server that starts gives up after 15 s.
  await untilEachAcked(world)
  sqld.halt()
  const end = performance.now() + awayMs
  // What it had answered may be on its way.
  await sleep(200)
  const before = ledger.acked
  while (performance.now() < end) {
    const answers = await Promise.all(servers.map(({ url }) => pullOnce(url, devices[0]!, 0).then(() => 'served', String)))
    figures.servedWhileAway += answers.filter(answer => !answer.includes('503')).length
  }
  figures.servedWhileAway += ledger.acked - before
  sqld.goOn()
  await measureRecovery(world)
}

function countForeignMoments(dataFile: string, startedAt: number): number {
  const database = new DatabaseSync(dataFile, { readOnly: true })
  const [from, to] = [Math.floor(startedAt / 1_000), Math.ceil(Date.now() / 1_000)]
  const row = database.prepare('select count(*) as count from changes where created_at not between ? and ?').get(from, to)
  database.close()
  return Number(row!['count'])
}

function shuffle<T>(items: T[]): T[] {
  for (let at = items.length - 1; at > 0; at--) {
    const other = randomInt(at + 1)
    ;[items[at], items[other]] = [items[other]!, items[at]!]
  }
  return items
}
