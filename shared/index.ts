/**
 * What server and browser both use, as `or3-layer-sqlite/shared`: the definition of a synced table, the shapes on the
 * wire and of all answers, the codes, the limits, the hybrid logical clock, and who wins.
 */
export type * from './answers.ts'
export { errorKinds, opRefusals } from './error-codes.ts'
export type { ErrorCode, ErrorData, ErrorKind, OpRefusalCode, OpRefusalKind } from './error-codes.ts'
export { createHybridClock, createNode, readNode } from './hlc.ts'
export type { HybridClock } from './hlc.ts'
export * from './limits.ts'
export type * from './protocol.ts'
export { compareCodePoints, compareRevisions } from './revision.ts'
export { defineSyncedTable } from './synced-table.ts'
export type { RowOf, StandardSchema, SyncedTable, SyncedTableOptions } from './synced-table.ts'
export { createUuid } from './uuid.ts'
