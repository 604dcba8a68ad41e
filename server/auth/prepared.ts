/**
 * Queries built once for each open database. A store instance lives for one look-up, so what is prepared hangs on
 * the database, and goes with it.
 */
import type { SyncDatabase } from '../db/open.ts'

export function prepareOnce<T>(prepare: (database: SyncDatabase) => T): (database: SyncDatabase) => T {
  const prepared = new WeakMap<SyncDatabase, T>()
  return (database) => {
    const known = prepared.get(database)
    if (known !== undefined) return known
    const made = prepare(database)
    prepared.set(database, made)
    return made
  }
}
