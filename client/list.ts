/**
 * A filtered and sorted list of a table's rows, kept up to date change by change: a change costs a binary search and,
 * without a `limit`, a copy of the array, not another pass of the filter. `rows` is a new array exactly when the list
 * has changed.
 */
import type { JsonObject } from '../shared/protocol.ts'
import { createListeners } from './listeners.ts'

export interface ListOptions<Row> {
  /** Which rows belong to the list. A pure function of the row: it is asked again only when the row changes. */
  where?: ((row: Row) => boolean) | undefined
  /** The order, as for `Array.prototype.sort`; a pure function. Equal rows, and all without it, are ordered by key. */
  sort?: ((a: Row, b: Row) => number) | undefined
  /** Only the first rows, at most so many: a change of a long list then costs no copy of it. */
  limit?: number | undefined
}

export interface List<Row> {
  readonly rows: readonly Row[]
  /** Calls `listener` after each change of the list; returns a function that ends it. */
  subscribe(listener: () => void): () => void
  /** Stops following the table. */
  close(): void
}

/** A row before and after a change, as the app sees it. */
export interface RowChange { pk: string, before: JsonObject | undefined, after: JsonObject | undefined }

export interface LiveList extends List<JsonObject> {
  /** Takes the changes in; true where `rows` has changed. */
  take(changes: readonly RowChange[]): boolean
  /** Starts over from all rows. */
  reset(rows: readonly JsonObject[]): void
  notify(): void
}

/** From this many changes on, one pass over the list is cheaper than a place for each. */
const manyChanges = 16

/** Creates a list of `rows`; `key` is the field of the primary key. */
export function createList(
  rows: readonly JsonObject[],
  { where = () => true, sort, limit }: ListOptions<JsonObject>,
  key: string,
  onClose: (list: LiveList) => void,
): LiveList {
  const listeners = createListeners()
  const compare = (a: JsonObject, b: JsonObject): number => {
    const order = sort?.(a, b)
    if (order) return order
    const [left, right] = [a[key] as string, b[key] as string]
    return left < right ? -1 : left > right ? 1 : 0
  }
  /** All rows of the list, and those that are shown of them. */
  let held: JsonObject[] = []
  let shown: readonly JsonObject[] = held

  /** True where what is shown has changed. */
  const show = (): boolean => {
    const next = limit === undefined ? held : held.slice(0, limit)
    if (limit !== undefined && next.length === shown.length && next.every((row, at) => row === shown[at])) return false
    shown = next
    return true
  }
  const findPlace = (list: readonly JsonObject[], row: JsonObject): number => {
    let [low, high] = [0, list.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compare(list[middle]!, row) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
  const takeFew = (gone: JsonObject[], come: JsonObject[]) => {
    // Without a limit the app holds this array: a copy is changed.
    const next = limit === undefined ? held.slice() : held
    held = next
    const placeOf = (row: JsonObject) => {
      const guess = findPlace(next, row)
      return next[guess] === row ? guess : next.indexOf(row)
    }
    const from = gone.length === 1 && come.length === 1 ? placeOf(gone[0]!) : -1
    if (from >= 0) return moveRow(next, from, findPlace(next, come[0]!), come[0]!)
    for (const row of gone) {
      const place = placeOf(row)
      if (place >= 0) next.splice(place, 1)
    }
    for (const row of come) next.splice(findPlace(next, row), 0, row)
  }
  const takeMany = (gone: Set<JsonObject>, come: JsonObject[]) => {
    const left = held.filter(row => !gone.has(row))
    come.sort(compare)
    const next: JsonObject[] = []
    let at = 0
    for (const row of left) {
      while (at < come.length && compare(come[at]!, row) < 0) next.push(come[at++]!)
      next.push(row)
    }
    held = next.concat(come.slice(at))
  }

  const list: LiveList = {
    get rows() {
      return shown
    },
    take(changes) {
      const gone = changes.flatMap(({ before }) => before && where(before) ? [before] : [])
      const come = changes.flatMap(({ after }) => after && where(after) ? [after] : [])
      if (gone.length === 0 && come.length === 0) return false
      if (changes.length < manyChanges) takeFew(gone, come)
      else takeMany(new Set(gone), come)
      return show()
    },
    reset(all) {
      held = all.filter(where).sort(compare)
      show()
    },
    notify: listeners.tell,
    subscribe: listeners.add,
    close: () => onClose(list),
  }
  list.reset(rows)
  return list
}

/** One row has changed: what lies between its old place and the new one moves by one, and the rest stays. */
function moveRow(list: JsonObject[], from: number, to: number, row: JsonObject): void {
  let at = from
  for (; at < to - 1; at++) list[at] = list[at + 1]!
  for (; at > to; at--) list[at] = list[at - 1]!
  list[at] = row
}
