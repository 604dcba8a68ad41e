/** How long the event loop stood still, less the time in which the machine gave this thread no processor. */
import { readFileSync } from 'node:fs'

export interface LoopWatch {
  /** Ends the watch; the longest time between two turns, in milliseconds. */
  stop(): number
  /** What `percent` of the turns stayed under, in milliseconds. */
  percentile(percent: number): number
}

const periodMs = 2

export function watchLoop(): LoopWatch {
  let lastAt = performance.now()
  let lastWaitedMs = readWaitedMs()
  let longest = 0
  const stops: number[] = []
  const look = () => {
    const now = performance.now()
    const waitedMs = readWaitedMs()
    const stop = now - lastAt - periodMs - (waitedMs - lastWaitedMs)
    longest = Math.max(longest, stop)
    stops.push(stop)
    lastAt = now
    lastWaitedMs = waitedMs
  }
  const timer = setInterval(look, periodMs)
  return {
    stop() {
      clearInterval(timer)
      look()
      return Math.round(longest)
    },
    percentile(percent) {
      const inOrder = stops.toSorted((a, b) => a - b)
      return Math.max(0, Math.round(inOrder[Math.ceil(inOrder.length * percent / 100) - 1] ?? 0))
    },
  }
}

/** Linux counts the nanoseconds in which a thread could run and had to wait for a processor; elsewhere 0. */
function readWaitedMs(): number {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[1]) / 1e6
  }
  catch {
    return 0
  }
}
