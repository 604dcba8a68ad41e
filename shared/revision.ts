/**
 * Decides who wins: the one place. A revision is (clock, hlc, op_id). The greater one wins, for rows and tombstones
 * alike. Strings are compared by code points, as SQLite's BINARY collation orders UTF-8. Upholds P4.
 */
import type { Revision } from './protocol.ts'

/** Compares two revisions: negative, zero or positive, as for `Array.prototype.sort`. */
export function compareRevisions(a: Revision, b: Revision): number {
  return a.clock - b.clock || compareCodePoints(a.hlc, b.hlc) || compareCodePoints(a.opId, b.opId)
}

/**
 * Compares by code points. JavaScript's `<` compares UTF-16 units and sorts astral characters before U+E000..U+FFFF.
 */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index)
    const right = b.charCodeAt(index)
    if (left !== right) return codePointRank(left) - codePointRank(right)
  }
  return a.length - b.length
}

function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000
}
