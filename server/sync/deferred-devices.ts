/**
 * Devices behind the horizon that tried to put a row without a record. The row's tombstone may be gone, so the put is
 * deferred until its device could learn that it needs a snapshot. A pull names a user and no device, so only a pull
 * after the deferral releases it. Kept in the database, since the pull may come to another server. Upholds P7.
 */
import { sql } from 'drizzle-orm'
import { compileSql, type Statement } from '../database/statement.ts'
import type { SyncDatabase } from '../database/types.ts'
import type { UserCaller } from './caller.ts'
import { cursorNameOf } from './cursors.ts'

/** A live device polls every two seconds: a pull this long after the deferral came after the device was told. */
const settledSeconds = 10

interface OfUser { workspaceId: string, userId: string }

/** Remembers, within the transaction of the push, that a put of each of `devices` was deferred. */
export function deferDevices(
  { workspaceId, userId }: UserCaller, devices: ReadonlySet<string>, horizon: number, now: number | null,
): Statement {
  const names = [...new Set([...devices].map(cursorNameOf))]
  return insertDeferrals({ workspaceId, userId, devices: JSON.stringify(names), horizon, now })
}

const insertDeferrals = compileSql<OfUser & { devices: string, horizon: number, now: number | null }>(value => sql`
  insert into deferred_devices (workspace_id, user_id, device_id, horizon, deferred_at, released)
  select ${value('workspaceId')}, ${value('userId')}, value, ${value('horizon')},
    coalesce(${value('now')}, unixepoch()), 0
  from json_each(${value('devices')}) where true
  on conflict (workspace_id, user_id, device_id) do update
    set horizon = excluded.horizon, deferred_at = excluded.deferred_at, released = 0
    where horizon < excluded.horizon`)

/** Whether a device of the user waits to be released, as part of a statement. */
export function isDeferred(workspaceId: unknown, userId: unknown) {
  return sql`exists (select 1 from deferred_devices
    where workspace_id = ${workspaceId} and user_id = ${userId} and released = 0)`
}

/**
 * A pull of the user is being answered; `told` says whether with `requiresSnapshot`. Where the database cannot take it
 * now, a later pull releases the devices.
 */
export async function releaseDevices(
  database: SyncDatabase, { workspaceId, userId }: UserCaller, told: boolean,
): Promise<void> {
  const statement = updateDeferrals({ workspaceId, userId, told: told ? 1 : 0, now: database.now() })
  await database.write(tx => tx.execute(statement)).catch(() => {})
}

const updateDeferrals = compileSql<OfUser & { told: number, now: number | null }>(value => sql`
  update deferred_devices set released = 1
  where workspace_id = ${value('workspaceId')} and user_id = ${value('userId')} and released = 0
    and (${value('told')} = 1
      or deferred_at <= coalesce(${value('now')}, unixepoch()) - ${sql.raw(String(settledSeconds))})`)
