/**
 * Writes that many callers make in the same shape, so that a remote database can run all that wait in one request and
 * one transaction. Who plans them knows their meaning; the database knows only their statements.
 */
import type { InStatement, ResultSet } from '@libsql/core/api'

/** How writes of one kind are run together, and one alone where the common plan does not settle it. */
export interface GroupedWrite<Item, Result> {
  /** True where the item has to be run alone, by `reads` and `decide`. */
  isAlone(item: Item): boolean
  /** Begins a group; `add` says whether an item may be planned together with those that were added before. */
  startGroup(): { add(item: Item): boolean }
  /** The statements for all items, to be run in one transaction. Running them again must not write twice. */
  plan(items: readonly Item[]): InStatement[]
  /** The result of each item; undefined where nothing of it was written and it has to be run alone. */
  read(items: readonly Item[], results: readonly ResultSet[]): (Result | undefined)[]
  /** What has to be read to decide on one item. They may write what does no harm alone. */
  reads(item: Item): InStatement[]
  /** The writes of one item, run in the transaction of `reads`; `finish` gets what they answer. */
  decide(item: Item, results: readonly ResultSet[]): {
    writes: InStatement[]
    finish: (results: readonly ResultSet[]) => Result
  }
}

/** What a database offers that runs such writes in groups. */
export interface GroupedWrites {
  /** Resolves after the commit. Throws DATABASE_BUSY and DATABASE_UNAVAILABLE: the same item may be sent again. */
  add<Item, Result>(kind: GroupedWrite<Item, Result>, item: Item): Promise<Result>
}
