/**
 * The sync protocol for a client of one's own, as `or3-layer-sqlite/protocol`: the shapes on the wire, the codes, the
 * clock, and who wins. It runs in a browser and in any server.
 */
export type {
  AcceptedInvite, CreatedInvite, CreatedInviteLink, CreatedWorkspace, InviteLinksAnswer, InvitesAnswer, InviteStatus,
  MembersAnswer, OkAnswer, SessionAnswer, WorkspaceRole, WorkspacesAnswer,
} from './answers.ts'
export { errorKinds, opRefusals } from './error-codes.ts'
export type { ErrorCode, ErrorData, ErrorKind, OpRefusalCode, OpRefusalKind } from './error-codes.ts'
export { createHybridClock, createNode, readNode } from './hlc.ts'
export type { HybridClock } from './hlc.ts'
export { compareCodePoints, compareRevisions } from './revision.ts'
export { defineSyncedTable } from './synced-table.ts'
export type { RowOf, SyncedTable, SyncedTableOptions } from './synced-table.ts'
export { createUuid } from './uuid.ts'
export type {
  ChangeStamp, CleanUpRequest, CleanUpResult, JsonObject, PendingOp, PullRequest, PullResponse, PushBatch, PushResult,
  PushResultItem, Revision, SnapshotItem, SnapshotRequest, SnapshotResponse, SyncChange, SyncErrorCode, SyncOperation,
  SyncScope, UpdateCursorRequest, Winner,
} from './protocol.ts'
