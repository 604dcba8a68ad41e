/** One table of a store as an app uses it: typed rows, frozen; writes that show at once and say when they are saved. */
import type { JsonObject, SyncOperation } from '../shared/protocol.ts'
import type { SyncedTable } from '../shared/synced-table.ts'
import type { List, ListOptions } from './list.ts'
import type { TableState } from './table.ts'

/** A write is on the screen when the call returns. */
export interface Write {
  /** True once it survives the end of this tab; false where the store is kept in memory only. Never rejects. */
  readonly saved: Promise<boolean>
}

/** Makes an op of a write; `dropFailure` is the failed op that it takes the place of. */
export type WriteRow = (
  table: SyncedTable, operation: SyncOperation, pk: string, makeRow: () => object, dropFailure?: string,
) => Promise<boolean>

export interface StoreTable<Row extends object> {
  readonly name: string
  /** The row of this key; the same object until it changes. */
  get(pk: string): Readonly<Row> | undefined
  /** True while a write of this row has no answer from the server. */
  isPending(pk: string): boolean
  /** The rows that `where` picks, in the order of `sort`; follows the table until it is closed. */
  list(options?: ListOptions<Readonly<Row>>): List<Readonly<Row>>
  /** The rows whose `field`, one of the definition's `indexes`, equals `value`; the same array until one changes. */
  lookup<Field extends keyof Row & string>(field: Field, value: Row[Field]): readonly Readonly<Row>[]
  /** Calls `listener` after each change of the table; returns a function that ends it. */
  subscribe(listener: () => void): () => void
  /** Writes a whole row. Throws a `TypeError` where it does not fit the schema, an `Error` over a newer shape. */
  put(row: Row): Write
  /** Writes a row with some fields changed. Throws an `Error` where there is no such row, and as `put` does. */
  patch(pk: string, change: Partial<Row>): Write
  /** Removes a row; one that is not there too. Throws an `Error` over a newer shape. */
  remove(pk: string): Write
}

/** Gives a table the type of its rows. */
export function createStoreTable<Row extends object>(
  state: TableState, definition: SyncedTable, write: WriteRow,
): StoreTable<Row> {
  const { name, primaryKey } = definition
  const put = (row: object): Write => {
    const pk = (row as JsonObject)[primaryKey]
    if (typeof pk !== 'string' || pk.length === 0) {
      throw new TypeError(`A row of "${name}" needs its key in "${primaryKey}": a text that is not empty.`)
    }
    return { saved: write(definition, 'put', pk, () => row) }
  }
  // Rows are JSON here and have a type there: the definition's schema vouches for it.
  const typed = state as unknown as Pick<StoreTable<Row>, 'get' | 'lookup'> & {
    list(options: ListOptions<Readonly<Row>>): List<Readonly<Row>>
  }
  return {
    name,
    get: typed.get,
    isPending: state.isPending,
    list: (options = {}) => typed.list(options),
    lookup: typed.lookup,
    subscribe: state.subscribe,
    put,
    patch(pk, change) {
      const row = typed.get(pk)
      if (!row) {
        if (state.isHidden(pk)) return { saved: write(definition, 'put', pk, () => change) }
        throw new Error(`There is no row "${pk}" in "${name}".`)
      }
      return put({ ...row, ...change, [primaryKey]: pk })
    },
    remove: pk => ({ saved: write(definition, 'delete', pk, () => ({})) }),
  }
}
