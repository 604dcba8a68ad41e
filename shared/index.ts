/**
 * What server and browser both use, as `or3-layer-sqlite/shared`: the definition of a synced table, the protocol's types,
 * the order of revisions, the hybrid logical clock, the limits and the error codes.
 */
export { type ErrorCode, type ErrorData, errorKinds } from './error-codes.ts'
export { createHybridClock, createNode } from './hlc.ts'
export * from './limits.ts'
export type * from './protocol.ts'
export { compareCodePoints, compareRevisions } from './revision.ts'
export { defineSyncedTable } from './synced-table.ts'
export type { RowOf, StandardSchema, SyncedTable, SyncedTableOptions } from './synced-table.ts'
