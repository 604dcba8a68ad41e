/**
 * Gives a version to each log row that has none of its own. The head stays what it was, since devices and the counter
 * count from it; the old clean-up has left versions below it free. A tombstone knows its version. All others get the
 * highest free ones, in the order in which they came: a device behind such a row's true version then still gets it, as
 * far as the order can be known; where it cannot, the horizon tells the device to take a snapshot. Pure.
 */
import { compareCodePoints } from '../../shared/revision.ts'

/** A log row without a version. */
export interface Unplaced {
  tableName: string
  pk: string
  createdAt: number
  hlc: string
  /** A tombstone's own version. */
  wanted?: number | undefined
}

export interface Versions {
  /** Says of each row that it will be placed; needed only where the log has gaps. */
  note(row: Unplaced): void
  /** The version of a row that was noted, or one above the head. */
  place(row: Unplaced): number
  readonly hasGaps: boolean
  /** The newest version: the old one, or more where nothing below was free. */
  readonly head: number
  /** A device behind it may have missed something that cannot be told from the log any more; 0 where that is whole. */
  readonly horizon: number
}

const isFree = 0
const isTaken = 1
/** A tombstone's version that the log does not have. */
const isWanted = 2
/** Given to a row whose own version is not known. */
const isGiven = 3

/** Gives the restored changes of one workspace the versions that its log leaves free. */
export function createVersions(oldHead: number, inLog: Iterable<number>, ofTombstones: Iterable<number>): Versions {
  const states = new Uint8Array(oldHead + 1).fill(isFree)
  states[0] = isTaken
  for (const version of inLog) states[version] = isTaken
  const hasGaps = states.includes(isFree)
  for (const version of ofTombstones) if (states[version] === isFree) states[version] = isWanted

  let head = oldHead
  let lowest = oldHead
  let noted: { name: string, createdAt: number, hlc: string }[] = []
  /** By the row's name; a key may have several. */
  const places = new Map<string, number[]>()

  function give(name: string, version: number, state: number) {
    states[version] = state
    places.set(name, [version, ...places.get(name) ?? []])
  }

  /** The highest free versions, as many as were noted; the newest row gets the highest. */
  function giveFree() {
    for (const { name } of noted.sort((a, b) => b.createdAt - a.createdAt || compareCodePoints(b.hlc, a.hlc))) {
      const free = states.lastIndexOf(isFree, lowest)
      if (free === -1) break
      lowest = free
      give(name, free, isGiven)
    }
    noted = []
  }

  return {
    hasGaps,
    note(row) {
      if (states[row.wanted ?? 0] === isWanted) give(nameOf(row), row.wanted!, isTaken)
      else noted.push({ name: nameOf(row), createdAt: row.createdAt, hlc: row.hlc })
    },
    place(row) {
      if (noted.length > 0) giveFree()
      return places.get(nameOf(row))?.shift() ?? ++head
    },
    get head() {
      return head
    },
    get horizon() {
      return Math.max(0, ...[isFree, isWanted, isGiven].map(state => states.lastIndexOf(state)))
    },
  }
}

function nameOf({ tableName, pk }: Unplaced): string {
  return `${tableName}\0${pk}`
}
