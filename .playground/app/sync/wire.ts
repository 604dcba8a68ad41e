/** What a device exchanges with the sync routes, literally as the protocol has it. */
export type JsonObject = Record<string, unknown>

export interface ChangeStamp {
  deviceId: string
  opId: string
  hlc: string
  clock: number
}

export interface PendingOp {
  id: string
  tableName: string
  operation: 'put' | 'delete'
  pk: string
  payload?: JsonObject | undefined
  stamp: ChangeStamp
  /** Epoch milliseconds; the times inside payloads are seconds. */
  createdAt: number
  attempts: number
  status: string
}

export interface SyncChange {
  serverVersion: number
  tableName: string
  pk: string
  op: 'put' | 'delete'
  payload?: JsonObject | undefined
  stamp: ChangeStamp
}

export interface SyncScope {
  workspaceId: string
}

export interface PushBatch {
  scope: SyncScope
  ops: PendingOp[]
}

export interface PushReceipt {
  opId: string
  success: boolean
  serverVersion?: number | undefined
  error?: string | undefined
  errorCode?: string | undefined
  replayed?: boolean | undefined
  applied?: boolean | undefined
}

export interface PushResult {
  results: PushReceipt[]
  serverVersion: number
}

export interface PullRequest {
  scope: SyncScope
  cursor: number
  limit: number
  tables?: string[] | undefined
  /** True asks also for changes that another change of the same page supersedes. */
  history?: boolean | undefined
}

export interface PullResponse {
  changes: SyncChange[]
  nextCursor: number
  hasMore: boolean
  oldestRetainedVersion?: number | undefined
  requiresSnapshot?: boolean | undefined
}

export interface SnapshotRequest {
  scope: SyncScope
  pageSize: number
  pageToken?: string | undefined
  tables?: string[] | undefined
}

export interface WireRevision {
  clock: number
  hlc: string
  opId: string
}

export type SnapshotItem
  = | { kind: 'row', tableName: string, pk: string, payload: JsonObject, revision: WireRevision }
    | { kind: 'tombstone', tableName: string, pk: string, revision: WireRevision, serverDeletedAt?: number | undefined }

export interface SnapshotResponse {
  workspaceId: string
  snapshotId: string
  highWatermark: number
  items: SnapshotItem[]
  nextPageToken: string | null
}

export interface UpdateCursorRequest {
  scope: SyncScope
  deviceId: string
  version: number
}

export interface Transport {
  push(batch: PushBatch): Promise<PushResult>
  pull(request: PullRequest): Promise<PullResponse>
  updateCursor(request: UpdateCursorRequest): Promise<unknown>
  snapshot?: ((request: SnapshotRequest) => Promise<SnapshotResponse>) | undefined
}
