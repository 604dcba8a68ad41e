/**
 * Keeps the pulls that hints start within what a server takes from one device: some at once, then some a second. The
 * newest head counts, so one that waits takes in all that come after it.
 */

export interface Pacer {
  /** Hands `head` over now or soon, unless a newer one comes before. */
  offer(head: number): void
  stop(): void
}

/** A burst of edits is seen edit by edit. */
const burst = 20
/** Of a long stream of edits, such as a text that a machine writes: two requests a second. */
const perSecond = 2

/** Creates a budget of requests; `take` takes one and says in how many milliseconds it may be made. */
export function createBudget(): { take(): number } {
  let left = burst
  let countedAt = performance.now()
  return {
    take() {
      const now = performance.now()
      left = Math.min(burst, left + (now - countedAt) / 1000 * perSecond) - 1
      countedAt = now
      return left >= 0 ? 0 : -left / perSecond * 1000
    },
  }
}

/** Creates a pacer that hands heads to `pass`. */
export function createPacer(pass: (head: number) => void): Pacer {
  const budget = createBudget()
  let newest: number | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  const run = () => {
    timer = undefined
    const head = newest!
    newest = undefined
    pass(head)
  }
  return {
    offer(head) {
      newest = Math.max(newest ?? 0, head)
      if (timer !== undefined) return
      const ms = budget.take()
      if (ms === 0) run()
      else timer = setTimeout(run, ms)
    },
    stop() {
      clearTimeout(timer)
      timer = newest = undefined
    },
  }
}
