/**
 * When a store syncs: soon after a local write, at a slow pace, at a hint, and on demand; never twice at once. Errors
 * wait longer each time, with jitter and as long as the server asks; a session that ended stops it until `resume`.
 * A hint moves no cursor. It starts a pull, and the newest head is remembered until a pull has passed it.
 */
import type { SharedStatus } from '../tabs.ts'
import { endOfSession, type TransportError } from '../transport.ts'
import type { SyncDevice, SyncReport } from './device.ts'
import { isHeld } from './push.ts'
import { runSync } from './run.ts'

export interface SyncLoop {
  /** Lets it run: this tab talks to the server. */
  start(): void
  /** A local write was stored. */
  soon(): void
  /** The server's head is said to be this; without one, pull in any case. */
  requestPull(head?: number): void
  /** Syncs now, after a run that is under way; undefined where it may not. */
  syncNow(): Promise<SyncReport | undefined>
  /** The network is back, or the page in view: pulls at once, without the rest of a wait that nobody has asked for. */
  wake(): void
  setPace(ms: number): void
  setOnline(isOnline: boolean): void
  resume(): void
  stop(): Promise<void>
}

export interface SyncLoopOptions {
  device: SyncDevice
  paceMs: number
  isAutomatic: boolean
  random: () => number
  /** Shows what the run has found. */
  share(change: Partial<SharedStatus>): void
  /** After each run, whatever came of it. */
  onRun(report: SyncReport): void
}

/** Long enough to catch the writes of one action, shorter than a frame. */
const afterWriteMs = 10
const firstBackOffMs = 1_000
const maxBackOffMs = 60_000
const stopWaitMs = 1_000
/** A hint that no pull reaches, as of the log before a restore, must not make it pull in a circle. */
const maxHintRounds = 5

/** Creates the loop of one store; it does nothing before `start`. */
export function createSyncLoop({ device, isAutomatic, random, share, onRun, ...options }: SyncLoopOptions): SyncLoop {
  let paceMs = options.paceMs
  let timer: ReturnType<typeof setTimeout> | undefined
  let dueAt = Infinity
  let running: Promise<SyncReport> | undefined
  let isStarted = false
  let isOnline = true
  let isStopped = false
  let mustPull = true
  let wantedHead = 0
  let hintRounds = 0
  let failures = 0
  /** No automatic run before this; on the clock of `performance`, as `pullDueAt`. */
  let waitUntil = 0
  let pullDueAt = 0
  let lastStatus = 0

  const mayRun = () => isStarted && isOnline && !isStopped
  const { meta, outbox } = device.state

  const schedule = (ms: number) => {
    if (!isAutomatic || !mayRun() || running) return
    const at = Math.max(performance.now() + ms, waitUntil)
    if (at >= dueAt) return
    clearTimeout(timer)
    dueAt = at
    timer = setTimeout(() => {
      dueAt = Infinity
      if (mayRun()) void start()
    }, Math.max(0, at - performance.now()))
  }
  const cancel = () => {
    clearTimeout(timer)
    dueAt = Infinity
  }
  const start = (): Promise<SyncReport> => running ??= run().finally(() => {
    running = undefined
    schedule(chooseDelay())
  })

  const run = async () => {
    cancel()
    const pulls = mustPull || wantedHead > meta.cursor || performance.now() >= pullDueAt
    mustPull = false
    if (pulls) pullDueAt = performance.now() + paceMs * (0.9 + random() / 5)
    share({ isSyncing: true })
    const report = await runSync(device, pulls)
    if (!report.ok && pulls) mustPull = true
    learn(report)
    onRun(report)
    return report
  }
  const learn = ({ ok, error }: SyncReport) => {
    if (meta.cursor >= wantedHead) hintRounds = 0
    else if (ok && ++hintRounds > maxHintRounds) wantedHead = hintRounds = 0
    if (ok) {
      failures = 0
      waitUntil = 0
      const held = device.hold && describeError(device.hold.error, device.hold.until)
      return share({ isSyncing: false, lastSyncAt: device.now(), error: held, stopped: undefined })
    }
    failures++
    lastStatus = error!.status
    const stopped = endOfSession(lastStatus)
    isStopped = stopped !== undefined
    const delayMs = backOff(error!)
    waitUntil = performance.now() + delayMs
    const retryAt = isStopped ? undefined : Math.round(device.now() + delayMs)
    share({ isSyncing: false, error: describeError(error!, retryAt), stopped })
  }
  const backOff = ({ retryAfterSeconds }: TransportError) => {
    const ms = Math.min(firstBackOffMs * 2 ** (failures - 1), maxBackOffMs) * (0.5 + random() / 2)
    return Math.max(ms, (retryAfterSeconds ?? 0) * 1000 * (1 + random() / 10))
  }
  const chooseDelay = () => {
    if (failures > 0) return 0
    if (wantedHead > meta.cursor) return hintRounds === 0 ? 0 : 50 * 2 ** hintRounds
    const now = device.now()
    if (mustPull || (!isHeld(device) && outbox.nextBatch(now, new Set()).length > 0)) return afterWriteMs
    const pushDueAt = isHeld(device) ? device.hold!.until : outbox.nextDueAt() ?? Infinity
    return Math.max(0, Math.min(pushDueAt - now, pullDueAt - performance.now()))
  }
  /** Something has changed for the better; where the server itself asked for patience, that still counts. */
  const wake = () => {
    if (lastStatus !== 429 && lastStatus !== 503) waitUntil = failures = 0
    mustPull = true
    schedule(0)
  }

  return {
    start() {
      isStarted = true
      wake()
    },
    wake,
    soon: () => schedule(afterWriteMs),
    requestPull(head) {
      if (head === undefined) mustPull = true
      else if (head <= Math.max(meta.cursor, wantedHead)) return
      else wantedHead = head
      hintRounds = 0
      schedule(0)
    },
    async syncNow() {
      if (running) await running
      if (!mayRun()) return undefined
      device.hold = undefined
      mustPull = true
      return start()
    },
    setPace(ms) {
      paceMs = ms
      pullDueAt = performance.now() + ms * (0.9 + random() / 5)
      cancel()
      schedule(chooseDelay())
    },
    setOnline(value) {
      if (isOnline === value) return
      isOnline = value
      if (value) wake()
      else cancel()
    },
    resume() {
      isStopped = false
      device.hold = undefined
      share({ stopped: undefined, error: undefined })
      wake()
    },
    async stop() {
      isStopped = true
      cancel()
      // A request without an answer must not keep a page from another workspace; what it brings is dropped then.
      await Promise.race([running, new Promise(resolve => setTimeout(resolve, stopWaitMs))])
    },
  }
}

function describeError({ status, message, code }: TransportError, retryAt: number | undefined): SharedStatus['error'] {
  return { status, message, code, retryAt }
}
