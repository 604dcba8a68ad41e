/**
 * The sync client for browsers, without a framework: synced rows that are there at once, offline too, kept over
 * reloads, and equal on all devices of a workspace.
 *
 * @example
 * // shared/tables.ts
 * export const notes = defineSyncedTable('notes', {
 *   primaryKey: 'id',
 *   schema: z.looseObject({ id: z.string(), text: z.string(), done: z.boolean() }),
 * })
 *
 * // in the browser
 * const client = createSyncClient({ tables: [notes] })
 * const store = await client.open({ userId, workspaceId })
 * const table = store.table(notes)
 * const list = table.list({ where: note => !note.done, sort: (a, b) => a.text.localeCompare(b.text) })
 * const stop = list.subscribe(() => render(list.rows))   // `rows` is a new array exactly when the list has changed
 * const { saved } = table.put({ id: crypto.randomUUID(), text: 'Milk', done: false })   // on the screen by now
 * if (!await saved) warn(store.status.storageProblem)
 * for (const failure of store.failures) ask(failure.row, failure.message, failure.retry, failure.discard)
 */
export { createSyncClient } from './client.ts'
export type { StoreId, SyncClient, SyncClientOptions } from './client.ts'
export type { List, ListOptions } from './list.ts'
export type { SyncStatus } from './status.ts'
export type { SyncFailure, SyncStore } from './store-types.ts'
export type { StoreTable, Write } from './store-table.ts'
export { createIndexedDbStorage } from './storage/indexed-db.ts'
export type { IndexedDbOptions } from './storage/indexed-db.ts'
export { createMemoryStorage } from './storage/memory.ts'
export type { Storage, StorageProblem, StoreFile } from './storage/types.ts'
export type { Conflict, Contender, SyncReport } from './sync/device.ts'
export { createHttpTransport, TransportError } from './transport.ts'
export type { HttpTransportOptions, Transport } from './transport.ts'
export { defineSyncedTable } from '../shared/synced-table.ts'
export type { RowOf, SyncedTable } from '../shared/synced-table.ts'
