/**
 * Brings the transactions of all tabs into memory in the order of the store. One that comes early waits for those
 * before it; where these do not come, the store has to be loaded again.
 */
import type { State } from './state.ts'
import type { Commit } from './types.ts'

/** A transaction as it is told of; without a commit it is in memory already, or can only be loaded (`mustLoad`). */
export interface Told { commit?: Commit | undefined, isFold?: boolean | undefined, mustLoad: boolean }

export interface Sequence {
  /** The newest transaction that waits for others; undefined where memory equals what is known of the store. */
  readonly newest: number | undefined
  settle(seq: number, told: Told): void
  drain(): void
  /** While the store is being loaded, nothing is taken in. */
  hold(isHeld: boolean): void
  /** Forgets what the loaded store holds already, or everything; then goes on. */
  restart(isEmpty?: boolean): void
  /** False where the transactions up to `seq` were not told of in time. */
  waitFor(seq: number): Promise<boolean>
  close(): void
}

/** As long as a message of another tab may take. */
const messageWaitMs = 250

/** Creates the sequence of one tab; `onGap` is called where a transaction is missing for too long. */
export function createSequence(state: State, onGap: () => void): Sequence {
  const ahead = new Map<number, Told>()
  const waiting = new Set<() => void>()
  let isHeld = false
  let isClosed = false
  let gapTimer: ReturnType<typeof setTimeout> | undefined

  const drain = () => {
    if (isHeld) return
    for (;;) {
      const next = ahead.get(state.meta.seq + 1)
      if (!next || next.mustLoad) break
      ahead.delete(++state.meta.seq)
      if (next.isFold) state.markFolded()
      if (next.commit) state.apply(next.commit, true)
    }
    waiting.forEach(check => check())
    clearTimeout(gapTimer)
    if (ahead.size > 0 && !isClosed) gapTimer = setTimeout(() => ahead.size > 0 && onGap(), messageWaitMs)
  }

  return {
    get newest() {
      return ahead.size > 0 ? Math.max(...ahead.keys()) : undefined
    },
    settle(seq, told) {
      if (seq > state.meta.seq) ahead.set(seq, told)
      drain()
    },
    drain,
    hold(value) {
      isHeld = value
    },
    restart(isEmpty = false) {
      for (const seq of ahead.keys()) if (isEmpty || seq <= state.meta.seq) ahead.delete(seq)
      drain()
    },
    async waitFor(seq) {
      const isThere = () => state.meta.seq >= seq
      if (isThere() || ahead.get(state.meta.seq + 1)?.mustLoad) return isThere()
      await new Promise<void>((resolve) => {
        const end = () => {
          clearTimeout(timer)
          waiting.delete(check)
          resolve()
        }
        const check = () => isThere() && end()
        const timer = setTimeout(end, messageWaitMs)
        waiting.add(check)
      })
      return isThere()
    },
    close() {
      isClosed = true
      clearTimeout(gapTimer)
    },
  }
}
