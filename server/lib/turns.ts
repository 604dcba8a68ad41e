/** Long work gives the event loop its turn: between two parts, once the last turn is some milliseconds ago. */
import { setImmediate as yieldToLoop } from 'node:timers/promises'

/** One part takes a few milliseconds more than this, so other requests wait for some 30 ms at most. */
const turnMs = 10

export interface Turns {
  /** Resolves after a turn of the loop where one is due, else at once. */
  pause(): Promise<void> | undefined
}

/** Makes the pacer of one piece of work; the work is taken to begin now. */
export function createTurns(): Turns {
  let turnedAt = performance.now()
  return {
    pause() {
      if (performance.now() - turnedAt < turnMs) return undefined
      return yieldToLoop().then(() => void (turnedAt = performance.now()))
    },
  }
}
