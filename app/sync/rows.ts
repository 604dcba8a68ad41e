/** The rows that a page shows: those of the server's render at first, then those of the store. Pure. */
import type { ListOptions } from '../../client/index.ts'
import { presentRow } from '../../client/shape.ts'
import type { JsonObject } from '../../shared/protocol.ts'
import type { RowOf, SyncedTable } from '../../shared/synced-table.ts'

/** The rows that `where` picks, in the order of `sort`, as many as `limit` says. */
export function pickRows<Row>(rows: readonly Row[], { where, sort, limit }: ListOptions<Row>): Row[] {
  const picked = where ? rows.filter(where) : [...rows]
  if (sort) picked.sort(sort)
  return limit === undefined ? picked : picked.slice(0, limit)
}

/**
 * The store's rows, with those rendered rows beside them that the store does not know yet: the first load of a
 * workspace takes longer than the first write.
 */
export function mergeRendered<Row extends object>(
  rendered: readonly Row[], stored: readonly Row[], isKnown: (row: Row) => boolean, options: ListOptions<Row>,
): Row[] {
  return pickRows([...stored, ...rendered.filter(row => !isKnown(row))], options)
}

/** A row's key as text. */
export function readKey(row: object, primaryKey: string): string {
  return String((row as JsonObject)[primaryKey])
}

/**
 * Rows as the server keeps them, in the present shape of the table; those that are newer than this code are left out.
 */
export function presentRows<Table extends SyncedTable>(table: Table, rows: readonly JsonObject[]): RowOf<Table>[] {
  // Rows are JSON here and have a type there: the definition's schema vouches for it.
  return rows.flatMap(row => presentRow(table, row) ?? []) as unknown as RowOf<Table>[]
}
