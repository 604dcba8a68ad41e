/**
 * While the active workspace changes no device may sync: the server answers 403 for every workspace but the active one.
 * What is under way is waited for, what would begin waits for its next turn.
 */
const underWay = new Set<Promise<unknown>>()
let held = false

export function areSyncsHeld(): boolean {
  return held
}

/** Counts a sync as under way until it settles. */
export function trackSync<T>(sync: Promise<T>): Promise<T> {
  underWay.add(sync)
  return sync.finally(() => underWay.delete(sync))
}

/** Runs `work` while no sync does. */
export async function withoutSyncs<T>(work: () => Promise<T>): Promise<T> {
  held = true
  try {
    await Promise.allSettled(underWay)
    return await work()
  }
  finally {
    held = false
  }
}
