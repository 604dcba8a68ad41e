/**
 * A hybrid logical clock: strictly rising within a device, close to wall time, ahead of what the device has seen.
 * Format `<ms base36, 9>:<counter base36, 3>:<node, 8>`, made so that plain string order is time order.
 */
const FORMAT = /^([0-9a-z]{9}):([0-9a-z]{3}):/
const MAX_COUNTER = 36 ** 3 - 1
/** A stamp further ahead than this is a broken wall clock: following it would spread the error to every device. */
const MAX_AHEAD_MS = 24 * 60 * 60 * 1000

export interface HybridClock {
  tick(): string
  /** Moves past a stamp seen from elsewhere. */
  observe(hlc: string): void
  readonly last: string
  restore(hlc: string): void
}

export function createHybridClock(deviceId: string, now: () => number): HybridClock {
  const node = hashNode(deviceId)
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
    restore: hlc => moveTo(hlc, Infinity),
  }
}

export function formatHlc(ms: number, counter: number, node: string): string {
  return `${ms.toString(36).padStart(9, '0')}:${counter.toString(36).padStart(3, '0')}:${node}`
}

/** FNV-1a: device ids often share a long prefix, so cutting them to 8 characters would not tell them apart. */
export function hashNode(deviceId: string): string {
  let hash = 0x811c9dc5
  for (let at = 0; at < deviceId.length; at++) {
    hash = Math.imul(hash ^ deviceId.charCodeAt(at), 0x01000193)
  }
  return (hash >>> 0).toString(36).padStart(8, '0')
}
