/** The `SyncGatewayAdapter` contract of an OR3 host, as real types. The wire shapes are in `shared/protocol.ts`. */
import type { H3Event } from 'h3'
import type {
  CleanUpRequest, MaintenanceState, PullRequest, PullResponse, PushBatch, PushResult, SnapshotRequest, SnapshotResponse,
  UpdateCursorRequest,
} from '../../../shared/protocol.ts'

/** A part of the workspace's quota for one file, reserved until `expiresAt` (epoch seconds). */
export interface UploadReservation {
  intentId: string
  workspaceId: string
  hash: string
  mimeType: string
  sizeBytes: number
  expiresAt: number
  workspaceQuotaBytes?: number | undefined
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
  cursor?: string | undefined
  limit?: number | undefined
  /** Only this file; with or without its algorithm's prefix. */
  hash?: string | undefined
  /** Epoch seconds; a reservation that ends by then is left out. */
  now?: number | undefined
}

/** `hash` is bare: lower-case hex without its algorithm's prefix. */
export type CanonicalStorageItem
  = | { kind: 'metadata', hash: string, sizeBytes: number, storageId?: string | undefined, updatedAt: number }
    | { kind: 'reference', hash: string, sourceTable: 'messages' | 'posts', sourceId: string }
    | { kind: 'reservation', reservationId: string, hash: string, sizeBytes: number, expiresAt: number }

export interface CanonicalStoragePage {
  items: CanonicalStorageItem[]
  nextCursor?: string | undefined
  hasMore: boolean
}

export interface SyncGatewayAdapter {
  readonly id: string
  pull(event: H3Event, request: PullRequest): Promise<PullResponse>
  push(event: H3Event, batch: PushBatch): Promise<PushResult>
  updateCursor(event: H3Event, request: UpdateCursorRequest): Promise<void>
  gcTombstones?(event: H3Event, request: CleanUpRequest): Promise<unknown>
  gcChangeLog?(event: H3Event, request: CleanUpRequest): Promise<unknown>
  readonly capabilities?: {
    snapshotBootstrap?: 'snapshot-v1' | undefined
    historyRetention?: 'snapshot-v1' | undefined
  }
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
  /** For a host's file clean-up: a file that no answer names is not needed. */
  queryCanonicalStorage?(event: H3Event, request: CanonicalStorageRequest): Promise<CanonicalStoragePage>
}

export interface SyncGatewayAdapterRegistration {
  id: string
  order?: number | undefined
  create: () => SyncGatewayAdapter
}
