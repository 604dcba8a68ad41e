/**
 * A lease on work that only one of several servers should do at a time. It is a row with an owner and an end by the
 * database's clock; a server that dies holding it is followed by another one after that end.
 */
import { sql } from 'drizzle-orm'
import { compileSql } from '../../database/statement.ts'
import type { SyncDatabase } from '../../database/types.ts'

/** Longer than one workspace takes to be cleaned up. */
const leaseSeconds = 300

export interface LeaseRef { name: string, owner: string }

/** Takes or prolongs the lease; false where another owner has it. */
export async function takeLease(database: SyncDatabase, lease: LeaseRef): Promise<boolean> {
  const { rowsAffected } = await database.write(tx => tx.execute(upsertLease({ ...lease, now: database.now() })))
  return rowsAffected > 0
}

/** Ends the lease, where this owner has it. */
export async function endLease(database: SyncDatabase, lease: LeaseRef): Promise<void> {
  await database.write(tx => tx.execute(deleteLease(lease)))
}

/** The value is `END OWNER`. */
const upsertLease = compileSql<LeaseRef & { now: number | null }>(value => sql`
  insert into layer_state (name, value)
  values (${value('name')}, (coalesce(${value('now')}, unixepoch()) + ${sql.raw(String(leaseSeconds))}) || ' '
    || ${value('owner')})
  on conflict (name) do update set value = excluded.value
  where cast(layer_state.value as integer) < coalesce(${value('now')}, unixepoch())
    or substr(layer_state.value, instr(layer_state.value, ' ') + 1) = ${value('owner')}`)

const deleteLease = compileSql<LeaseRef>(value => sql`
  delete from layer_state where name = ${value('name')} and substr(value, instr(value, ' ') + 1) = ${value('owner')}`)
