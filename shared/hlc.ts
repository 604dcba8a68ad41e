/**
 * A hybrid logical clock. Its stamps rise strictly within one clock, stay close to wall time, and pass all stamps seen.
 * Format: `<ms in base 36, 9>:<counter in base 36, 3>:<node, 8>`, so the order of the strings is the order of time.
 */
const FORMAT = /^([0-9a-z]{9}):([0-9a-z]{3}):/
const MAX_COUNTER = 36 ** 3 - 1
/** A stamp further ahead comes from a broken wall clock. Following it would spread the error to every device. */
const MAX_AHEAD_MS = 24 * 60 * 60 * 1000

export interface HybridClock {
  /** The next stamp for a local write. */
  tick(): string
  /** Moves past a stamp received from elsewhere; ignores one that is over a day ahead, or has another format. */
  observe(hlc: string): void
  /** The newest stamp made or seen: what a store keeps to go on from after a restart. */
  readonly last: string
}

/**
 * Creates a clock. `node` are the 8 characters that tell clocks apart; `now` gives epoch milliseconds; `last` is the
 * stamp to go on from, taken as it is.
 *
 * @example
 * const clock = createHybridClock({ node: createNode(), last: saved })
 * const stamp = { hlc: clock.tick(), … }
 */
export function createHybridClock(
  { node, now = Date.now, last }: { node: string, now?: (() => number) | undefined, last?: string | undefined },
): HybridClock {
  let ms = 0
  let counter = 0

  const moveTo = (hlc: string, latestMs: number): void => {
    const match = FORMAT.exec(hlc)
    if (!match) return
    const seenMs = parseInt(match[1]!, 36)
    const seenCounter = parseInt(match[2]!, 36)
    if (seenMs > latestMs || seenMs < ms || (seenMs === ms && seenCounter <= counter)) return
    ms = seenMs
    counter = seenCounter
  }
  if (last) moveTo(last, Infinity)

  return {
    tick() {
      const wall = now()
      if (wall > ms) {
        ms = wall
        counter = 0
      }
      else if (counter < MAX_COUNTER) {
        counter++
      }
      else {
        ms++
        counter = 0
      }
      return formatHlc(ms, counter, node)
    },
    observe: hlc => moveTo(hlc, now() + MAX_AHEAD_MS),
    get last() {
      return formatHlc(ms, counter, node)
    },
  }
}

/** Puts the parts of a stamp together. */
export function formatHlc(ms: number, counter: number, node: string): string {
  return `${ms.toString(36).padStart(9, '0')}:${counter.toString(36).padStart(3, '0')}:${node}`
}

/** The node of a stamp; an empty string where the stamp has another format. */
export function readNode(hlc: string): string {
  return FORMAT.test(hlc) ? hlc.slice(14) : ''
}

/** Eight random characters of base 36. */
export function createNode(): string {
  const [a, b] = crypto.getRandomValues(new Uint32Array(2))
  return (a! * 2 ** 20 + (b! >>> 12)).toString(36).padStart(8, '0').slice(-8)
}
