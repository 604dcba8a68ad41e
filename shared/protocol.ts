/**
 * The sync protocol's shapes on the wire (JSON over POST), as server and browser agree on them. Optional fields are
 * those that only later hosts know: an answer always carries them, a request may lack them. `shapes.ts` checks
 * requests.
 */

export interface SyncScope { workspaceId: string, projectId?: string | undefined }

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

/** An op as a device sends it. The last four fields and `id` are a host's clients' own: no server reads them. */
export interface PendingOp {
  id?: string | undefined
  tableName: string
  operation: SyncOperation
  pk: string
  payload?: unknown
  stamp: ChangeStamp
  /** Epoch milliseconds. */
  createdAt?: number | undefined
  attempts?: number | undefined
  status?: string | undefined
  nextAttemptAt?: number | undefined
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
  limit?: number | undefined
  tables?: string[] | undefined
  /** Over HTTP: where nothing comes after `cursor`, wait so many milliseconds for something; 0 to 25,000. */
  waitMs?: number | undefined
  /** True asks for every retained change, also for those that another change of the same page supersedes. */
  history?: boolean | undefined
  fileKindCapability?: 'v1' | undefined
}

export interface PullResponse {
  changes: SyncChange[]
  /** The last version scanned. It also moves over changes that a filter left out. */
  nextCursor: number
  hasMore: boolean
  /** A pull from the version before this one misses nothing. */
  oldestRetainedVersion: number
  requiresSnapshot: boolean
}

export interface PushBatch {
  scope: SyncScope
  ops: PendingOp[]
  fileKindCapability?: 'v1' | undefined
  workspaceItemCapability?: 'v1' | undefined
}

/**
 * The codes of the wire. No server sends NETWORK_ERROR and UNKNOWN: the clients of OR3 hosts make them. What a receipt
 * can have is `OpRefusalCode` in error-codes.ts.
 */
export type SyncErrorCode
  = | 'VALIDATION_ERROR' | 'UNAUTHORIZED' | 'CONFLICT' | 'NOT_FOUND' | 'RATE_LIMITED'
    | 'OVERSIZED' | 'NETWORK_ERROR' | 'SERVER_ERROR' | 'UNKNOWN'

export interface Revision { clock: number, hlc: string, opId: string }

export type Winner
  = | { kind: 'put', payload: unknown, revision: Revision }
    | { kind: 'delete', revision: Revision, serverDeletedAt?: number | undefined }

/** One receipt per op, in the order of the ops. */
export interface PushResultItem {
  opId: string
  success: boolean
  serverVersion?: number | undefined
  error?: string | undefined
  errorCode?: SyncErrorCode | undefined
  /** Of a refused op: whether the same op can succeed later. A client drops the others, and keeps their text. */
  retryable?: boolean | undefined
  tableName?: string | undefined
  operation?: SyncOperation | undefined
  payload?: unknown
  wasExisting?: boolean | undefined
  applied?: boolean | undefined
  replayed?: boolean | undefined
  winner?: Winner | undefined
}

export interface PushResult {
  results: PushResultItem[]
  /** The workspace's head. */
  serverVersion: number
}

export interface SnapshotRequest {
  scope: SyncScope
  pageSize: number
  pageToken?: string | undefined
  tables?: string[] | undefined
  fileKindCapability?: 'v1' | undefined
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
  /** The version up to which the log is clean; the next run goes on there. */
  cleanedVersion: number
  head: number
  /** False where a bounded run left changes that are due. */
  done: boolean
}

/** The state of maintenance, as a host reads it. */
export interface MaintenanceState {
  enabled: boolean
  /** ISO 8601. */
  lastRun?: string | undefined
  backlog?: number | undefined
  /** The error of the last run, where it failed. */
  lastError?: string | undefined
  state: 'idle' | 'running' | 'failed'
}
