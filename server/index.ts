/**
 * What an app that extends the layer uses, as `#or3-sync`: its own way of signing in, its own synced tables, the session
 * of a request, the database for its own Drizzle tables, and what goes over the wire. Call the `register…` functions from a server plugin.
 */
export { registerAuthProvider } from './auth/provider.ts'
export type { AuthProvider, AuthProviderRegistration, AuthSession } from './auth/provider.ts'
export { authorize, createSyncError, endSession, requireSession, resolveSession } from './http/for-apps.ts'
export type { SessionContext, SignedInSession } from './auth/session-context.ts'
export type { Permission } from './auth/roles.ts'
export type { SyncDatabase } from './database/types.ts'
export { useSyncDatabase } from './layer.ts'
export type {
  ChangeStamp, PendingOp, PullRequest, PullResponse, PushBatch, PushResult, PushResultItem, SnapshotItem,
  SnapshotRequest, SnapshotResponse, SyncChange, SyncScope, UpdateCursorRequest,
} from '../shared/protocol.ts'
export { registerSyncedTable } from './sync/tables.ts'
export type { SyncedTableOptions } from './sync/tables.ts'
