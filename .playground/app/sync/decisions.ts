/**
 * Remembers which of two concurrent writes won. A plain succession (somebody saw a row and edited it) is no conflict,
 * and neither is a change that merely comes by again.
 */
import { compareRevisions, nameTieBreak } from './revision.ts'
import type { Contender, Decision, Entry } from './types.ts'

/** Enough for a page to show; a long history of conflicts is nobody's reading. */
const MAX_DECISIONS = 50

export interface Decisions {
  readonly list: readonly Decision[]
  record(a: Entry, b: Entry, at: number): void
  restore(list: Decision[]): void
}

export interface Meeting {
  incoming: Entry
  held: Entry
  /** The held write is this device's own and still in the outbox. */
  heldIsPending: boolean
}

export function createDecisions(): Decisions {
  let list: Decision[] = []
  return {
    get list() {
      return list
    },
    record(a, b, at) {
      const [winner, loser] = compareRevisions(a.revision, b.revision) > 0 ? [a, b] : [b, a]
      const known = list.some(
        decision =>
          decision.winner.revision.opId === winner.revision.opId
          && decision.loser.revision.opId === loser.revision.opId,
      )
      if (known) return
      const decision = {
        tableName: winner.tableName,
        pk: winner.pk,
        winner: describeContender(winner),
        loser: describeContender(loser),
        decidedBy: nameTieBreak(winner.revision, loser.revision),
        at,
      }
      list = [decision, ...list].slice(0, MAX_DECISIONS)
    },
    restore(saved) {
      list = saved.slice(0, MAX_DECISIONS)
    },
  }
}

/**
 * Decides from clocks and server versions whether two writes to one key were made without knowing of each other:
 * the later one in the log did not know the earlier one if its clock is not higher.
 */
export function areConcurrent({ incoming, held, heldIsPending }: Meeting): boolean {
  const a = incoming.revision
  const b = held.revision
  if (a.opId === b.opId || (a.deviceId !== undefined && a.deviceId === b.deviceId)) return false
  if (a.clock === b.clock || heldIsPending) return true
  return a.clock < b.clock && (incoming.serverVersion ?? 0) >= (held.serverVersion ?? 0)
}

function describeContender(entry: Entry): Contender {
  return { deviceId: entry.revision.deviceId, revision: entry.revision, payload: entry.payload }
}
