/** What a replica shows to a page and asks of it. The shapes on the wire are in `wire.ts`. */
import type { JsonObject, PendingOp, Transport, WireRevision } from './wire.ts'

/** A snapshot does not say which device wrote a row, so `deviceId` may be missing. */
export interface Revision extends WireRevision {
  deviceId?: string | undefined
}

/** What a device knows of one key: a live row has a payload, a tombstone has none. */
export interface Entry {
  tableName: string
  pk: string
  revision: Revision
  payload?: JsonObject | undefined
  serverVersion?: number | undefined
}

export interface Row extends Entry {
  payload: JsonObject
}

export interface FailedOp {
  op: PendingOp
  error: string
  errorCode: string
}

export type DecidedBy = 'clock' | 'hlc' | 'op_id'

export interface Contender {
  deviceId?: string | undefined
  revision: Revision
  /** Missing for a delete. */
  payload?: JsonObject | undefined
}

export interface Decision {
  tableName: string
  pk: string
  winner: Contender
  loser: Contender
  decidedBy: DecidedBy
  /** Epoch milliseconds of this device. */
  at: number
}

export interface SyncReport {
  /** True when the outbox was offered and everything up to the head was read. */
  ok: boolean
  offline: boolean
  pushed: number
  failed: number
  pulled: number
  pages: number
  /** True when the server asked for a fresh start and got one. */
  snapshot: boolean
  cursor: number
  head: number
  pending: number
  pushMs: number
  pullMs: number
  error?: { message: string, status: number, code?: string | undefined, retryAfterSeconds?: number | undefined } | undefined
}

export interface ReplicaState {
  version: 1
  deviceId: string
  workspaceId: string
  cursor: number
  head: number
  storedCursor: number
  hlc: string
  entries: Entry[]
  pending: { op: PendingOp, imported: boolean }[]
  failed: FailedOp[]
  decisions: Decision[]
}

export interface ReplicaOptions {
  deviceId: string
  workspaceId: string
  transport: Transport
  /** Only these tables are pulled; all when missing. */
  tables?: string[] | undefined
  /** Epoch milliseconds. */
  now?: (() => number) | undefined
  batchSize?: number | undefined
  pageSize?: number | undefined
}

export interface Replica {
  readonly deviceId: string
  readonly workspaceId: string
  /** Writes a whole row: visible at once, pushed at the next `sync()`. */
  put(tableName: string, pk: string, payload: JsonObject): PendingOp
  remove(tableName: string, pk: string): PendingOp
  /** Takes a ready op in wire format; the whole history of a key goes up, nothing is coalesced. */
  enqueue(op: PendingOp): void
  /** As `enqueue`, with one notification at the end. */
  enqueueAll(ops: Iterable<PendingOp>): void
  rows(tableName: string): Row[]
  get(tableName: string, pk: string): Row | undefined
  tombstones(): Entry[]
  readonly pending: readonly PendingOp[]
  readonly failed: readonly FailedOp[]
  readonly cursor: number
  readonly head: number
  readonly decisions: readonly Decision[]
  online: boolean
  /** Never rejects for what the transport did: that is in `report.error`, and the outbox is kept. */
  sync(): Promise<SyncReport>
  subscribe(listener: () => void): () => void
  fingerprint(): Promise<string>
  state(): ReplicaState
  /** Throws when the state is of another device, workspace or format. */
  restore(state: ReplicaState): void
}
