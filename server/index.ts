/**
 * What an app that extends the layer uses in its server code, as `#or3-sync`: its own way of signing in, its own synced
 * tables, the session of a request, rows that server code reads and writes, the database for its own Drizzle tables,
 * and what goes over the wire. Call the `register…` functions from a server plugin.
 */
export { registerAuthProvider } from './auth/provider.ts'
export type { AuthProvider, AuthProviderRegistration, AuthSession } from './auth/provider.ts'
export { authorize, createSyncError, endSession, requireSession, resolveSession } from './http/for-apps.ts'
export type { SessionContext, SignedInSession } from './auth/session-context.ts'
export type { Permission } from './auth/roles.ts'
export type { SyncDatabase } from './database/types.ts'
export { useSyncDatabase } from './layer.ts'
export { removeSyncedRows, syncedRows, writeSyncedRows } from './http/rows-for-apps.ts'
export type { AppliedOp, AppliedOps } from './hooks.ts'
export type { FilterValue, PageOptions, RowPage } from './sync/row-pages.ts'
export type { RowJob, RowWriter } from './sync/server-rows.ts'
export { defineSyncedTable } from '../shared/synced-table.ts'
export type { RowOf, SyncedTable } from '../shared/synced-table.ts'
export type { ErrorCode, ErrorData, OpRefusalCode } from '../shared/error-codes.ts'
export type {
  AcceptedInvite, CreatedInvite, CreatedInviteLink, CreatedWorkspace, InviteLinksAnswer, InvitesAnswer, InviteStatus,
  MembersAnswer, OkAnswer, SessionAnswer, WorkspaceRole, WorkspacesAnswer,
} from '../shared/answers.ts'
export type {
  ChangeStamp, CleanUpRequest, CleanUpResult, JsonObject, PendingOp, PullRequest, PullResponse, PushBatch, PushResult,
  PushResultItem, Revision, SnapshotItem, SnapshotRequest, SnapshotResponse, SyncChange, SyncErrorCode, SyncOperation,
  SyncScope, UpdateCursorRequest, Winner,
} from '../shared/protocol.ts'
export { registerSyncedTable } from './sync/tables.ts'
export type { SyncedTableOptions } from './sync/tables.ts'
