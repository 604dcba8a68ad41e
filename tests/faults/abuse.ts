/**
 * T23: one user attacks the built server with a small heap, and another's requests go on. Each attack alone and all
 * together. Upholds P15.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setPriority } from 'node:os'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { readRssMb, readWaitedMs } from '../helpers/memory.ts'
import { attacks } from './abuse-attacks.ts'
import { call, makeOp } from './devices.ts'
import type { FaultyServer, StartServer } from './process.ts'

export interface AbuseOptions {
  start: StartServer
  dbPath: string
  /** Of each attack alone. */
  attackMs: number
  /** Of all together. */
  togetherMs: number
  env?: Record<string, string>
  only?: readonly string[]
  /** Ends with the first attack that the server did not bear. */
  untilBroken?: boolean
}

export interface AttackFigures {
  rssMb: number
  /** Of the victim's requests, without what server and victim waited for a processor that other processes had. */
  p95Ms: number
  /** With that. */
  p95WaitingMs: number
  longestMs: number
  requests: number
  failed: string[]
}

export interface AbuseFigures {
  /** Names of the attacks that took the server, or somebody's requests. */
  broken: string[]
  attacks: Record<string, AttackFigures>
}

const maxRssMb = 700
const maxP95Ms = 250
/** A request without an answer after so long has failed; `longestMs` tells of those that came late. */
const maxWaitMs = 30_000
/** What the victim does in turn. */
const kinds = ['list', 'push', 'pull'] as const
/** A heap as on a small machine. */
const heap = '--max-old-space-size=512'

export async function runAbuse({ start, dbPath, attackMs, togetherMs, env = {}, only = Object.keys(attacks), untilBroken = false }: AbuseOptions): Promise<AbuseFigures> {
  const figures: AbuseFigures = { broken: [], attacks: {} }
  const rounds = [...only.map(name => [name]), ...only.length > 1 ? [[...only]] : []]
  for (const round of rounds) {
    const name = round.length === 1 ? round[0]! : 'together'
    // Its own server and file, or one attack would pay for another.
    const server = await start(`${dbPath}-${name}`, {
      NODE_OPTIONS: heap, NUXT_OR3_SQLITE_LIMITS_RATE_LIMITS: '{"session":false}', OR3_SQLITE_PRAGMA_SYNCHRONOUS: 'NORMAL', ...env,
    })
    const found = await bear(server, round, round.length === 1 ? attackMs : togetherMs)
    figures.attacks[name] = found
    if (found.rssMb > maxRssMb || found.p95Ms > maxP95Ms || found.failed.length > 0) figures.broken.push(name)
    await server.kill()
    if (untilBroken && figures.broken.length > 0) break
  }
  return figures
}

async function bear(server: FaultyServer, names: readonly string[], ms: number): Promise<AttackFigures> {
  const session = (user: string) => call<{ session: { workspace: { id: string } } }>(server.url, user, '/api/auth/session')
  const { session: { workspace: { id: workspaceId } } } = await session('attacker')
  const victim = { workspaceId: (await session('victim')).session.workspace.id, deviceId: 'victim' }
  const target = JSON.stringify({ url: server.url, user: 'attacker', workspaceId, ms })
  const children = names.map(name => spawn(process.execPath, ['--no-warnings', fileURLToPath(new URL('abuse-child.ts', import.meta.url)), name, target], { stdio: 'ignore' }))
  // Their processors are not the server's: here they take what server and victim leave.
  for (const { pid } of children) setPriority(pid!, 10)
  let rssMb = 0
  const took: number[] = []
  const tookWaiting: number[] = []
  const readWaited = () => readWaitedMs(server.pid) + readWaitedMs(process.pid)
  const failed: string[] = []
  const note = (what: string, work: Promise<void>) => Promise.race([work, refuseLate()]).catch((error: unknown) => failed.push(`${what}: ${describe(error)}`))
  const until = performance.now() + ms
  while (performance.now() < until && failed.length < 5) {
    const sentAt = performance.now()
    const waitedBefore = readWaited()
    const kind = kinds[took.length % kinds.length]!
    await note(kind, request(server, victim, kind))
    const tookMs = performance.now() - sentAt
    tookWaiting.push(tookMs)
    // The attackers and whatever else runs here have the same processors; on the attackers' own machines they would not.
    took.push(Math.max(0, tookMs - Math.max(0, readWaited() - waitedBefore)))
    if (server.isRunning) rssMb = Math.max(rssMb, readRssMb(server.pid))
    else failed.push('the server has ended')
    await sleep(20)
  }
  for (const child of children) child.kill('SIGKILL')
  await Promise.all(children.filter(child => child.exitCode === null && child.signalCode === null).map(child => once(child, 'exit')))
  if (failed.length === 0) await note('afterwards', makeRoom(server, victim))
  return { rssMb, p95Ms: p95Of(took), p95WaitingMs: p95Of(tookWaiting), longestMs: Math.round(Math.max(...tookWaiting)), requests: took.length, failed }
}

/** Without the budgets a request may take minutes. */
async function refuseLate(): Promise<never> {
  await sleep(maxWaitMs, undefined, { ref: false })
  throw new Error(`no answer within ${maxWaitMs} ms`)
}

/** `fetch` says only in the cause why it failed. */
function describe(error: unknown): string {
  return error instanceof Error && error.cause ? `${error.message}: ${String(error.cause)}` : String(error)
}

function p95Of(values: readonly number[]): number {
  return Math.round(values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.95)] ?? 0)
}

async function request({ url }: FaultyServer, victim: { workspaceId: string, deviceId: string }, kind: typeof kinds[number]): Promise<void> {
  const scope = { workspaceId: victim.workspaceId }
  if (kind === 'list') await call(url, 'victim', '/api/workspaces')
  else if (kind === 'push') await call(url, 'victim', '/api/sync/push', { scope, ops: [makeOp(victim)] })
  else await call(url, 'victim', '/api/sync/pull', { scope, cursor: 0, limit: 10 })
}

/** Deletes and sign-in work after it all. */
async function makeRoom({ url }: FaultyServer, victim: { workspaceId: string, deviceId: string }): Promise<void> {
  await call(url, 'newcomer', '/api/auth/session')
  const op = { ...makeOp(victim), operation: 'delete' as const }
  const { results } = await call<{ results: { success: boolean }[] }>(url, 'victim', '/api/sync/push', { scope: { workspaceId: victim.workspaceId }, ops: [op] })
  if (!results.every(receipt => receipt.success)) throw new Error(`A delete failed: ${JSON.stringify(results)}`)
}
