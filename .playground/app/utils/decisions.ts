/** The conflicts that a device has met, newest first, and what else it keeps beside its store over a reload. */
import type { Conflict } from '../../../client/index.ts'

export interface Decision extends Conflict {
  /** Epoch milliseconds of this device. */
  at: number
}

export interface Kept {
  /** The user's switch. */
  online: boolean
  threadId: string | null
  decisions: Decision[]
}

/** Enough for a page to show. */
const maxDecisions = 50

/** Names a conflict alike on each device. */
export function nameDecision({ winner, loser }: Conflict): string {
  return `${winner.opId}/${loser.opId}`
}

/** The list with one more; the same list where it is known already. */
export function addDecision(list: Decision[], decision: Decision): Decision[] {
  const name = nameDecision(decision)
  return list.some(one => nameDecision(one) === name) ? list : [decision, ...list].slice(0, maxDecisions)
}

/** What was kept under `key`. */
export function recall(key: string): Kept {
  try {
    return JSON.parse(localStorage.getItem(key) ?? '') as Kept
  }
  catch {
    return { online: true, threadId: null, decisions: [] }
  }
}

/** Keeps it; a browser that keeps nothing forgets no more than the page's view. */
export function keep(key: string, kept: Kept): void {
  try {
    localStorage.setItem(key, JSON.stringify(kept))
  }
  catch {
    // Storage that is full or blocked.
  }
}
