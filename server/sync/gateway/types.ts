/**
 * The host's sync contract as real types: the wire (JSON over POST) and the `SyncGatewayAdapter`.
 * Optional fields are those only later hosts know; an answer always carries them, a request may lack them.
 */
import type { H3Event } from 'h3'

export interface SyncScope { workspaceId: string, projectId?: string }

export interface ChangeStamp {
  deviceId: string
  /** A UUID, unique per workspace: the op's identity. */
  opId: string
  /** Hybrid logical clock, compared as a plain string by code points. */
  hlc: string
  /** Per-record revision counter: every local write is the old one plus 1. */
  clock: number
}

export type SyncOperation = 'put' | 'delete'
export type JsonObject = Record<string, unknown>

export interface PendingOp {
  id: string
  tableName: string
  operation: SyncOperation
  pk: string
  payload?: unknown
  stamp: ChangeStamp
  /** Epoch milliseconds. */
  createdAt: number
  attempts: number
  status: string
  nextAttemptAt?: number
}

export interface SyncChange {
  serverVersion: number
  tableName: string
  pk: string
  op: SyncOperation
  payload?: unknown
  stamp: ChangeStamp
}

export interface PullRequest {
  scope: SyncScope
  cursor: number
  /** 1..1000; 100 where a caller leaves it out. */
  limit?: number
  tables?: string[]
  fileKindCapability?: 'v1'
}

export interface PullResponse {
  changes: SyncChange[]
  /** The last version scanned, so that it also moves over what a filter left out. */
  nextCursor: number
  hasMore: boolean
  /** A pull from the version before this one misses nothing. */
  oldestRetainedVersion: number
  requiresSnapshot: boolean
}

export interface PushBatch {
  scope: SyncScope
  ops: PendingOp[]
  fileKindCapability?: 'v1'
  workspaceItemCapability?: 'v1'
}

export type SyncErrorCode
  = | 'VALIDATION_ERROR' | 'UNAUTHORIZED' | 'CONFLICT' | 'NOT_FOUND' | 'RATE_LIMITED'
    | 'OVERSIZED' | 'NETWORK_ERROR' | 'SERVER_ERROR' | 'UNKNOWN'

export interface Revision { clock: number, hlc: string, opId: string }

export type Winner
  = | { kind: 'put', payload: unknown, revision: Revision }
    | { kind: 'delete', revision: Revision, serverDeletedAt?: number }

/** One receipt per op, in the order of the ops. */
export interface PushResultItem {
  opId: string
  success: boolean
  serverVersion?: number
  error?: string
  errorCode?: SyncErrorCode
  tableName?: string
  operation?: SyncOperation
  payload?: unknown
  wasExisting?: boolean
  applied?: boolean
  replayed?: boolean
  winner?: Winner
}

export interface PushResult {
  results: PushResultItem[]
  /** The workspace's head. */
  serverVersion: number
}

export interface SnapshotRequest {
  scope: SyncScope
  pageSize: number
  pageToken?: string
  tables?: string[]
  fileKindCapability?: 'v1'
}

export type SnapshotItem
  = | { kind: 'row', tableName: string, pk: string, payload: unknown, revision: Revision }
    | { kind: 'tombstone', tableName: string, pk: string, revision: Revision, serverDeletedAt: number }

export interface SnapshotResponse {
  workspaceId: string
  snapshotId: string
  /** The items are the rows as of this version; a pull goes on from it. */
  highWatermark: number
  items: SnapshotItem[]
  nextPageToken: string | null
}

export interface UpdateCursorRequest { scope: SyncScope, deviceId: string, version: number }
export interface CleanUpRequest { scope: SyncScope, retentionSeconds: number }

export interface CleanUpResult {
  droppedChanges: number
  droppedTombstones: number
  /** Up to where the log is clean; the next run goes on there. */
  cleanedVersion: number
  head: number
  /** False where a bounded run left something that is due. */
  done: boolean
}

/** A field that is undefined is not known, or not so. */
export interface MaintenanceState {
  enabled: boolean
  /** ISO 8601. */
  lastRun?: string
  backlog?: number
  /** Of the last run, where it failed. */
  lastError?: string
  state: 'idle' | 'running' | 'failed'
}

/** A place for one file under the workspace's quota, kept until `expiresAt` (epoch seconds). */
export interface UploadReservation {
  intentId: string
  workspaceId: string
  hash: string
  mimeType: string
  sizeBytes: number
  expiresAt: number
  workspaceQuotaBytes?: number
}

export interface UploadConsumption {
  intentId: string
  workspaceId: string
  hash: string
  mimeType: string
  sizeBytes: number
  storageId: string
}

export interface CanonicalStorageRequest {
  scope: { workspaceId: string }
  kind: 'live_metadata' | 'reference_edges' | 'active_reservations'
  /** The `nextCursor` of the page before. */
  cursor?: string
  limit?: number
  /** Only this file; with or without its algorithm's prefix. */
  hash?: string
  /** Epoch seconds; a reservation that ends by then is left out. */
  now?: number
}

export type CanonicalStorageItem
  = | { kind: 'metadata', hash: string, sizeBytes: number, storageId?: string, updatedAt: number }
    | { kind: 'reference', hash: string, sourceTable: 'messages' | 'posts', sourceId: string }
    | { kind: 'reservation', reservationId: string, hash: string, sizeBytes: number, expiresAt: number }

export interface CanonicalStoragePage {
  items: CanonicalStorageItem[]
  nextCursor?: string
  hasMore: boolean
}

export interface SyncGatewayAdapter {
  readonly id: string
  pull(event: H3Event, request: PullRequest): Promise<PullResponse>
  push(event: H3Event, batch: PushBatch): Promise<PushResult>
  updateCursor(event: H3Event, request: UpdateCursorRequest): Promise<void>
  gcTombstones?(event: H3Event, request: CleanUpRequest): Promise<unknown>
  gcChangeLog?(event: H3Event, request: CleanUpRequest): Promise<unknown>
  readonly capabilities?: { snapshotBootstrap?: 'snapshot-v1', historyRetention?: 'snapshot-v1' }
  snapshot?(event: H3Event, request: SnapshotRequest): Promise<SnapshotResponse>
  listWorkspaceIds?(): Promise<string[]>
  /** The host's maintenance job calls these four without waiting. */
  getMaintenanceState?(): MaintenanceState
  beginMaintenanceRun?(): void
  completeMaintenanceRun?(run: { lastRun: string }): void
  failMaintenanceRun?(error: string): void
  /** Throws 413 over the quota, 409 where the intent exists with another content. */
  reserveUploadIntent?(event: H3Event, reservation: UploadReservation): Promise<void>
  /** Throws 409 where there is no such reservation, or not any more. */
  consumeUploadIntent?(event: H3Event, consumption: UploadConsumption): Promise<void>
  cancelUploadIntent?(event: H3Event, intent: { workspaceId: string, intentId: string }): Promise<void>
  /** What a host's file clean-up may rely on: a file nothing here speaks of is not needed. */
  queryCanonicalStorage?(event: H3Event, request: CanonicalStorageRequest): Promise<CanonicalStoragePage>
}

export interface SyncGatewayAdapterRegistration {
  id: string
  order?: number
  create: () => SyncGatewayAdapter
}
