/**
 * Last-writer-wins: the one place of this client that says which of two revisions stands.
 * Higher clock, then greater hlc, then greater op id; tombstones are judged like rows.
 */
import type { DecidedBy } from './types.ts'
import type { WireRevision } from './wire.ts'

/** Negative when `a` loses, positive when it wins, 0 when both are the same op. */
export function compareRevisions(a: WireRevision, b: WireRevision): number {
  return a.clock - b.clock || compareCodePoints(a.hlc, b.hlc) || compareCodePoints(a.opId, b.opId)
}

export function nameTieBreak(a: WireRevision, b: WireRevision): DecidedBy {
  if (a.clock !== b.clock) return 'clock'
  return a.hlc === b.hlc ? 'op_id' : 'hlc'
}

/** JavaScript's `<` compares UTF-16 units, which puts U+1F600 before U+FF5E; the protocol does not. */
export function compareCodePoints(a: string, b: string): number {
  const end = Math.min(a.length, b.length)
  let at = 0
  while (at < end && a.charCodeAt(at) === b.charCodeAt(at)) at++
  if (at === end) return a.length - b.length
  return orderUnit(a.charCodeAt(at)) - orderUnit(b.charCodeAt(at))
}

/** At the first unit that differs, only surrogates (U+10000 and up) are out of place: they go last. */
function orderUnit(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit
}
