/**
 * A workspace's log: the rows of `changes` and `records` carry its number instead of the workspace's id. Every statement
 * on them finds that number by the workspace it is about. Upholds P8.
 */
import { type SQL, sql } from 'drizzle-orm'
import type { SyncDatabase, WriteTransaction } from '../database/types.ts'
import { compileSql, readRows } from '../database/statement.ts'

/** The number of the log as part of a statement; null, which nothing equals, where the workspace has none yet. */
export function logOf(workspaceId: unknown): SQL {
  return sql`(select id from logs where workspace_id = ${workspaceId})`
}

/** Begins the log of a workspace that has none, within a transaction. */
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
