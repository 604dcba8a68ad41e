/**
 * A workspace's log. The rows of `changes` and `records` carry the log's number instead of the workspace id, and every
 * statement on them finds that number by the workspace id. Upholds P8.
 */
import { type SQL, sql } from 'drizzle-orm'
import type { SyncDatabase, WriteTransaction } from '../database/types.ts'
import { compileSql, readRows } from '../database/statement.ts'

/** SQL for the number of the log; null, which equals nothing, where the workspace has no log yet. */
export function logOf(workspaceId: unknown): SQL {
  return sql`(select id from logs where workspace_id = ${workspaceId})`
}

/** Inserts the log of a workspace that has none, and gives its number. */
export async function beginLog(tx: WriteTransaction, workspaceId: string): Promise<number> {
  const [log] = await readRows(tx, insertLog({ workspaceId }))
  return log!.id
}

/** The newest version of the workspace; 0 where it has no log yet. */
export async function readHead(database: SyncDatabase, workspaceId: string): Promise<number> {
  const [log] = await readRows(database.read.$client, selectHead({ workspaceId }))
  return log?.head ?? 0
}

const selectHead = compileSql<{ workspaceId: string }, { head: number }>(value => sql`
  select head from logs where workspace_id = ${value('workspaceId')} limit 1`)

const insertLog = compileSql<{ workspaceId: string }, { id: number }>(value => sql`
  insert into logs (workspace_id, head) values (${value('workspaceId')}, 0) returning id`)
