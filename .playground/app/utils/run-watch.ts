/** The last sync of a device as its status tells it: when it ended, how long it took, and which way rows went. */
import type { SyncStatus } from '../../../client/index.ts'

export interface LastSync {
  /** Epoch milliseconds. */
  at: number
  ms: number
  sent: boolean
  received: boolean
}

/** Answers with a run's figures when the status says that it has ended. */
export function createRunWatch(): (status: SyncStatus) => LastSync | undefined {
  let begun: { at: number, pending: number, cursor: number } | undefined
  return ({ isSyncing, pending, cursor }) => {
    if (isSyncing) {
      begun ??= { at: performance.now(), pending, cursor }
      return undefined
    }
    if (!begun) return undefined
    const ms = performance.now() - begun.at
    const run = { at: Date.now(), ms, sent: pending < begun.pending, received: cursor > begun.cursor }
    begun = undefined
    return run
  }
}
