/** The clock by which moments are stored: this process's, or the one of a database that several servers share. */
import { compileSql, readRows } from './statement.ts'
import { sql } from 'drizzle-orm'
import type { SyncDatabase } from './types.ts'

/** Epoch seconds by the clock that stores moments. */
export async function readNow(database: SyncDatabase): Promise<number> {
  const own = database.now()
  if (own !== null) return own
  const [row] = await readRows(database.read.$client, selectNow({}))
  return row!.now
}

const selectNow = compileSql<object, { now: number }>(() => sql`select unixepoch() as now limit 1`)
