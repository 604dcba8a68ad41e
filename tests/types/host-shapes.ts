/**
 * The shapes that hosts expect of a provider and hand to it, written out from their contract: `Feb` as of February 2026,
 * `Late` as of November 2026. Functions are properties here, so that their parameters are compared strictly.
 */
import type { H3Event } from 'h3'

type Role = 'owner' | 'editor' | 'viewer'
type ErrorCode
  = | 'VALIDATION_ERROR' | 'UNAUTHORIZED' | 'CONFLICT' | 'NOT_FOUND' | 'RATE_LIMITED' | 'OVERSIZED' | 'NETWORK_ERROR'
    | 'SERVER_ERROR' | 'UNKNOWN'

// Sync

interface Scope { workspaceId: string, projectId?: string | undefined }
interface Stamp { deviceId: string, opId: string, hlc: string, clock: number }
interface Change { serverVersion: number, tableName: string, pk: string, op: 'put' | 'delete', payload?: unknown, stamp: Stamp }

interface FebOp {
  id: string
  tableName: string
  operation: 'put' | 'delete'
  pk: string
  payload?: unknown
  stamp: Stamp
  createdAt: number
  attempts: number
  nextAttemptAt?: number | undefined
  status: 'pending' | 'syncing' | 'failed'
}
interface LateOp extends Omit<FebOp, 'status'> {
  status:
    | FebOp['status'] | 'in_flight' | 'retry_wait' | 'failed_retryable' | 'failed_permanent' | 'applied' | 'discarded'
  lastError?: string | undefined
  lastErrorCode?: ErrorCode | undefined
  failureKind?: string | undefined
  failedAt?: number | undefined
  discardedAt?: number | undefined
  discardReason?: string | undefined
}

export interface FebPullRequest { scope: Scope, cursor: number, limit: number, tables?: string[] | undefined }
export interface FebPullResponse { changes: Change[], nextCursor: number, hasMore: boolean }
export interface FebPushBatch { scope: Scope, ops: FebOp[] }
export interface FebPushResult {
  results: { opId: string, success: boolean, serverVersion?: number | undefined, error?: string | undefined, errorCode?: ErrorCode | undefined }[]
  serverVersion: number
}

interface Revision { clock: number, hlc: string, opId: string }
export interface LatePullRequest extends FebPullRequest { fileKindCapability?: 'v1' | undefined }
export interface LatePullResponse extends FebPullResponse { oldestRetainedVersion: number, requiresSnapshot: boolean }
export interface LatePushBatch { scope: Scope, ops: LateOp[], fileKindCapability?: 'v1' | undefined, workspaceItemCapability?: 'v1' | undefined }
export interface LatePushResult {
  results: (FebPushResult['results'][number] & {
    tableName?: string | undefined
    operation?: 'put' | 'delete' | undefined
    payload?: unknown
    wasExisting?: boolean | undefined
    applied?: boolean | undefined
    replayed?: boolean | undefined
    winner?: { kind: 'put', payload: unknown, revision: Revision } | { kind: 'delete', revision: Revision, serverDeletedAt?: number | undefined } | undefined
  })[]
  serverVersion: number
}
export interface LateSnapshotRequest {
  scope: Scope
  pageSize: number
  pageToken?: string | undefined
  tables?: string[] | undefined
  fileKindCapability?: 'v1' | undefined
}
export interface LateSnapshotResponse {
  workspaceId: string
  snapshotId: string
  highWatermark: number
  items: (
    | { kind: 'row', tableName: string, pk: string, payload: unknown, revision: Revision }
    | { kind: 'tombstone', tableName: string, pk: string, revision: Revision, serverDeletedAt: number }
  )[]
  nextPageToken: string | null
}

interface CursorUpdate { scope: { workspaceId: string }, deviceId: string, version: number }
export interface CleanUp { scope: { workspaceId: string }, retentionSeconds: number }

export interface FebAdapter {
  id: string
  pull: (event: H3Event, request: FebPullRequest) => Promise<FebPullResponse>
  push: (event: H3Event, batch: FebPushBatch) => Promise<FebPushResult>
  updateCursor: (event: H3Event, update: CursorUpdate) => Promise<void>
  gcTombstones?: ((event: H3Event, request: CleanUp) => Promise<unknown>) | undefined
  gcChangeLog?: ((event: H3Event, request: CleanUp) => Promise<unknown>) | undefined
}

export interface LateReservation {
  intentId: string
  workspaceId: string
  hash: string
  mimeType: string
  sizeBytes: number
  expiresAt: number
  workspaceQuotaBytes?: number | undefined
}
export type LateConsumption = Omit<LateReservation, 'expiresAt' | 'workspaceQuotaBytes'> & { storageId: string }
export interface LateStorageQuery {
  scope: { workspaceId: string }
  kind: 'live_metadata' | 'reference_edges' | 'active_reservations'
  cursor?: string | undefined
  limit?: number | undefined
  hash?: string | undefined
  now?: number | undefined
}
export interface LateStoragePage {
  items: (
    | { kind: 'metadata', hash: string, sizeBytes: number, storageId?: string | undefined, updatedAt: number }
    | { kind: 'reference', hash: string, sourceTable: 'messages' | 'posts', sourceId: string }
    | { kind: 'reservation', reservationId: string, hash: string, sizeBytes: number, expiresAt: number }
  )[]
  nextCursor?: string | undefined
  hasMore: boolean
}

/** Every method is demanded: a host goes without none of them. */
export interface LateAdapter extends Required<Pick<FebAdapter, 'id' | 'updateCursor' | 'gcTombstones' | 'gcChangeLog'>> {
  capabilities: { snapshotBootstrap?: 'snapshot-v1' | undefined, historyRetention?: 'snapshot-v1' | undefined }
  pull: (event: H3Event, request: LatePullRequest) => Promise<LatePullResponse>
  push: (event: H3Event, batch: LatePushBatch) => Promise<LatePushResult>
  snapshot: (event: H3Event, request: LateSnapshotRequest) => Promise<LateSnapshotResponse>
  reserveUploadIntent: (event: H3Event, reservation: LateReservation) => Promise<void>
  consumeUploadIntent: (event: H3Event, consumption: LateConsumption) => Promise<void>
  cancelUploadIntent: (event: H3Event, intent: { workspaceId: string, intentId: string }) => Promise<void>
  queryCanonicalStorage: (event: H3Event, query: LateStorageQuery) => Promise<LateStoragePage>
  listWorkspaceIds: () => Promise<string[]>
  getMaintenanceState: () => {
    enabled: boolean
    lastRun?: string | undefined
    backlog?: number | undefined
    lastError?: string | undefined
    state: 'idle' | 'running' | 'failed'
  }
  beginMaintenanceRun: () => void
  completeMaintenanceRun: (run: { lastRun: string }) => void
  failMaintenanceRun: (error: string) => void
}

// Users and workspaces

interface Account { provider: string, providerUserId: string }
interface Profile { email?: string | undefined, displayName?: string | undefined }
interface Place { userId: string, workspaceId: string }

export interface FebStore {
  getOrCreateUser: (input: Account & Profile) => Promise<{ userId: string }>
  getOrCreateDefaultWorkspace: (userId: string) => Promise<{ workspaceId: string, workspaceName: string }>
  getWorkspaceRole: (input: Place) => Promise<Role | null>
  listUserWorkspaces: (userId: string) => Promise<{
    id: string, name: string, description?: string | null | undefined, role: Role, createdAt?: number | undefined, isActive?: boolean | undefined
  }[]>
  createWorkspace: (input: { userId: string, name: string, description?: string | null | undefined }) => Promise<{ workspaceId: string }>
  updateWorkspace: (input: Place & { name: string, description?: string | null | undefined }) => Promise<void>
  removeWorkspace: (input: Place) => Promise<void>
  setActiveWorkspace: (input: Place) => Promise<void>
}

type Reason = 'not_found' | 'email_mismatch' | 'already_used' | 'revoked' | 'expired'
type InviteStatus = 'pending' | 'accepted' | 'revoked' | 'expired'
interface InviteRef { workspaceId: string, email: string, tokenHash: string }

export interface LateStore extends FebStore {
  getUser: (input: Account) => Promise<{ userId: string, email?: string | undefined, displayName?: string | undefined } | null>
  getOrCreateDefaultWorkspace: (userId: string) => Promise<{ workspaceId: string, workspaceName: string, created?: boolean | undefined }>
  createInvite: (input: InviteRef & { role: Role, invitedByUserId: string, expiresAt: number }) => Promise<{ inviteId: string }>
  listInvites: (input: { workspaceId: string, status?: InviteStatus | undefined, limit?: number | undefined }) => Promise<{
    id: string, workspaceId: string, email: string, role: Role, status: InviteStatus, invitedByUserId: string
    expiresAt: number, tokenHash: string, acceptedAt: number | null, acceptedUserId: string | null, revokedAt: number | null
    createdAt: number, updatedAt: number
  }[]>
  revokeInvite: (input: { workspaceId: string, inviteId: string, revokedByUserId: string }) => Promise<void>
  validateInvite: (input: InviteRef) => Promise<{ ok: true, role: Role } | { ok: false, reason: Reason }>
  acceptInviteAndProvisionUser: (input: Account & InviteRef & { displayName?: string | undefined }) => Promise<
    { ok: true, userId: string, role: Role, createdUser: boolean } | { ok: false, reason: Reason }
  >
  consumeInvite: (input: InviteRef & { acceptedUserId: string }) => Promise<
    { ok: true, role: Role } | { ok: false, reason: Reason | 'token_mismatch' }
  >
}
