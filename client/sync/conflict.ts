/**
 * Which two writes were made without knowing of each other. A plain succession is no conflict, and neither is a change
 * that comes by again. An own put that loses is kept, so that its user can decide.
 */
import type { Entry, FailureRecord } from '../types.ts'
import type { Conflict, Contender, SyncDevice } from './device.ts'

/**
 * Decides from clocks and server versions: the later of two changes in the log did not know the earlier one if its
 * clock is not higher. A write that was edited several times offline looks like a successor, since its clock is higher.
 */
export function areConcurrent(incoming: Entry, held: Entry, isHeldPending: boolean): boolean {
  if (incoming.opId === held.opId || (incoming.by !== undefined && incoming.by === held.by)) return false
  if (incoming.clock === held.clock || isHeldPending) return true
  return incoming.clock < held.clock && (incoming.at ?? 0) >= (held.at ?? 0)
}

/** Tells of the conflict; answers with what to keep where the loser is an own put. */
export function recordConflict(device: SyncDevice, table: string, winner: Entry, loser: Entry): FailureRecord[] {
  const { deviceId } = device.state.meta
  const decidedBy = winner.clock !== loser.clock ? 'clock' : winner.hlc !== loser.hlc ? 'hlc' : 'op_id'
  const conflict: Conflict = {
    table, pk: winner.pk, winner: describeContender(winner), loser: describeContender(loser), decidedBy,
  }
  device.onConflict(conflict)
  const { opId, clock, hlc, row, pk } = loser
  if (loser.by !== deviceId || !row || device.state.failures.has(opId)) return []
  const at = device.now()
  const stamp = { deviceId, opId, clock, hlc }
  return [{
    opId,
    kind: 'lost',
    code: 'LOST',
    message: 'Another device wrote this row at the same time, and its write counts.',
    at,
    op: {
      id: opId, tableName: table, operation: 'put', pk, payload: row, stamp, createdAt: at, attempts: 0,
      status: 'failed',
    },
    winner: { by: winner.by, row: winner.row, revision: pickRevision(winner) },
  }]
}

function describeContender(entry: Entry): Contender {
  return { by: entry.by, row: entry.row, ...pickRevision(entry) }
}

function pickRevision({ clock, hlc, opId }: Entry) {
  return { clock, hlc, opId }
}
