/**
 * Synced rows for an app's own server code, as `#or3-sync` gives them: a job, a webhook, an answer that streams in.
 * They act for the server, not for a user: authorize a user's request first. Refusals are h3 errors, as in
 * `for-apps.ts`.
 */
import type { RowOf, SyncedTable } from '../../shared/synced-table.ts'
import { useSyncEngine } from '../layer.ts'
import { createSystemCaller } from '../sync/caller.ts'
import type { PageOptions, RowPage } from '../sync/row-pages.ts'
import type { RowJob } from '../sync/server-rows.ts'
import { answerErrors } from './errors.ts'

/**
 * A page of the current rows of a table in one workspace, in the order of their keys: 100 rows, or `limit` of up to
 * 1,000. `where` compares fields for equality. Rows of all users come, also in a table with an `ownerKey`.
 * Throws INVALID_REQUEST.
 * @example
 * let after: string | undefined
 * do {
 *   const { rows, next } = await syncedRows(todos, workspaceId, { where: { done: false }, after })
 *   for (const todo of rows) await remind(todo)
 *   after = next ?? undefined
 * } while (after)
 */
export function syncedRows<Table extends SyncedTable>(
  table: Table, workspaceId: string, options?: PageOptions<RowOf<Table>>,
): Promise<RowPage<RowOf<Table>>> {
  return answerErrors(async () =>
    (await useSyncEngine()).rows.readPage(createSystemCaller(workspaceId), table, options))
}

/**
 * Writes rows of one workspace in one transaction, as ops of the server's own device; every device gets them by its
 * next pull. Resolves after the commit with what the job gave. On `tx` an app's own Drizzle tables are written in the
 * same transaction. A row is written whole, so change one that `rows.get` gave. Only calls on `rows` and `tx` belong in
 * the job: it holds all other writes up, and may run again. Throws INVALID_REQUEST and CONFLICT, and then writes
 * nothing.
 * @example await writeSyncedRows(workspaceId, rows => rows.put(notes, { id, text: 'Hello' }))
 * @example
 * await writeSyncedRows(workspaceId, async (rows, tx) => {
 *   const order = await rows.get(orders, id)
 *   if (order) rows.put(orders, { ...order, paid: true })
 *   await tx.insert(payments).values(payment)
 * })
 */
export function writeSyncedRows<T>(workspaceId: string, job: RowJob<T>): Promise<T> {
  return answerErrors(async () => (await useSyncEngine()).rows.write(createSystemCaller(workspaceId), job))
}

/**
 * Deletes rows of one table by their keys; a key without a row is left as it is. Resolves after the commit.
 * Throws INVALID_REQUEST.
 */
export function removeSyncedRows(table: SyncedTable, workspaceId: string, keys: readonly string[]): Promise<void> {
  return writeSyncedRows(workspaceId, rows => rows.remove(table, ...keys))
}
