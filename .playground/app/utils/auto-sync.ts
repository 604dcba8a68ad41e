/**
 * When a device syncs: two seconds after the last time, right after a local write, and on demand; never twice at once.
 * A refused or failed sync is not an error of the page: it is shown, and tried again later.
 */
import type { SyncReport } from '../sync/replica.ts'
import { areSyncsHeld, trackSync } from './sync-hold.ts'

const POLL_MS = 2000
/** Long enough to catch the writes of one action, short enough to feel immediate. */
const AFTER_WRITE_MS = 40
const MAX_BACK_OFF_MS = 15_000

export interface LastSync {
  at: number
  ms: number
  report: SyncReport
}

export interface AutoSyncOptions {
  sync: () => Promise<SyncReport>
  isOnline: () => boolean
  onRefused: (status: number) => void
}

export function createAutoSync({ sync, isOnline, onRefused }: AutoSyncOptions) {
  const state = shallowReactive({ syncing: false, last: null as LastSync | null, problem: '' })
  let running: Promise<SyncReport | null> | null = null
  let queued: Promise<SyncReport | null> | null = null
  let timer: ReturnType<typeof setTimeout> | undefined
  let failuresInRow = 0
  let stopped = false

  /** Settles when everything written before the call has been offered to the server; null while offline. */
  function syncNow(): Promise<SyncReport | null> {
    if (running) {
      queued ??= running.then(() => {
        queued = null
        return syncNow()
      })
      return queued
    }
    running = run().finally(() => (running = null))
    return running
  }

  async function run(): Promise<SyncReport | null> {
    clearTimeout(timer)
    if (stopped || !isOnline()) return null
    if (areSyncsHeld()) {
      schedule(POLL_MS)
      return null
    }
    const startedAt = performance.now()
    state.syncing = true
    try {
      const report = await trackSync(sync())
      state.last = { at: Date.now(), ms: performance.now() - startedAt, report }
      learn(report)
      return report
    }
    finally {
      state.syncing = false
    }
  }

  function learn(report: SyncReport): void {
    const status = report.error?.status
    failuresInRow = report.ok || report.offline ? 0 : failuresInRow + 1
    state.problem = report.error ? describeProblem(report.error) : ''
    schedule(chooseDelay(report))
    if (!stopped && (status === 401 || status === 403)) onRefused(status)
  }

  function chooseDelay({ error }: SyncReport): number {
    if (error?.retryAfterSeconds) return error.retryAfterSeconds * 1000
    return Math.min(POLL_MS * 2 ** failuresInRow, MAX_BACK_OFF_MS)
  }

  function schedule(ms: number): void {
    clearTimeout(timer)
    if (!stopped) timer = setTimeout(poll, ms)
  }

  function poll(): void {
    if (document.hidden || !isOnline()) return schedule(POLL_MS)
    void syncNow()
  }

  return {
    state,
    syncNow,
    soon() {
      if (isOnline() && failuresInRow === 0) schedule(AFTER_WRITE_MS)
    },
    start: () => void syncNow().then(() => schedule(POLL_MS)),
    stop() {
      stopped = true
      clearTimeout(timer)
    },
  }
}

function describeProblem({ status, message, retryAfterSeconds }: NonNullable<SyncReport['error']>): string {
  if (status === 0) return 'The server does not answer. Edits stay in the outbox.'
  if (retryAfterSeconds) return `${message} Trying again in ${retryAfterSeconds} s.`
  return message
}
