/**
 * The workspaces there are: those of the store that are not deleted, pushed to or not, and those whose only trace is a
 * log, since a host may keep its workspaces in another store. A deleted one is left out until it is restored.
 */
import { type SQL, sql } from 'drizzle-orm'
import type { SyncDatabase } from '../database/types.ts'

/** A query of the ids, in no order. */
export const livingWorkspaceIds: SQL = sql`
  select id from workspaces where deleted_at is null
  union all
  select workspace_id as id from logs where workspace_id not in (select id from workspaces)`

/** The ids of all living workspaces, in code-point order. */
export async function listLivingWorkspaceIds(database: SyncDatabase): Promise<string[]> {
  const rows = await database.read.all<{ id: string }>(sql`select id from (${livingWorkspaceIds}) order by id`)
  return rows.map(row => row.id)
}
