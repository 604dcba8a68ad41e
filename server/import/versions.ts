/**
 * Which version a log row gets that has none of its own. The head stays what it was, since devices and the counter
 * count from it; the old clean-up has left versions below it free. A tombstone knows its version; for any other state
 * the highest free one is taken: a device behind it gets the row, and one beyond it had the original. Pure.
 */
export interface Versions {
  /** `wanted` where it is free, else the highest that is. */
  take(wanted?: number): number
  /** The newest version: the old one, or more where nothing below was free. */
  readonly head: number
  /** A device behind it may have missed a delete of which nothing is left; 0 where the log is whole. */
  readonly horizon: number
}

const isFree = 0
const isTaken = 1
/** A tombstone's version that the log does not have. */
const isWanted = 2
/** Given to a row whose own version is not known. */
const isGiven = 3

export function createVersions(oldHead: number, inLog: Iterable<number>, ofTombstones: Iterable<number>): Versions {
  const states = new Uint8Array(oldHead + 1)
  for (const version of inLog) states[version] = isTaken
  let missing = 0
  for (let version = 1; version <= oldHead; version++) if (states[version] === isFree) missing++
  for (const version of ofTombstones) if (version > 0 && states[version] === isFree) states[version] = isWanted

  let head = oldHead
  let lowest = oldHead
  let filled = 0

  return {
    take(wanted = 0) {
      if (wanted > 0 && states[wanted] === isWanted) {
        states[wanted] = isTaken
        filled++
        return wanted
      }
      while (lowest > 0 && states[lowest] !== isFree) lowest--
      if (lowest === 0) return ++head
      filled++
      states[lowest] = isGiven
      return lowest
    },
    get head() {
      return head
    },
    get horizon() {
      if (filled === missing) return 0
      return Math.max(states.lastIndexOf(isFree), states.lastIndexOf(isWanted), states.lastIndexOf(isGiven))
    },
  }
}
