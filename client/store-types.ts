/** What a store is for an app, and what it is made of. */
import type { JsonObject, PendingOp } from '../shared/protocol.ts'
import type { RowOf, SyncedTable } from '../shared/synced-table.ts'
import type { SyncStatus } from './status.ts'
import type { Storage } from './storage/types.ts'
import type { StoreTable } from './store-table.ts'
import type { Conflict, SyncReport } from './sync/device.ts'
import type { Transport } from './transport.ts'
import type { Entry, FailureRecord } from './types.ts'

/** An own write that has no effect. It is kept until `retry` or `discard`. */
export interface SyncFailure extends Readonly<FailureRecord> {
  readonly table: string
  readonly pk: string
  /** What the user wrote; undefined for a delete. */
  readonly row: JsonObject | undefined
  /** Writes the same again, over what is there now. Resolves as `saved` of a write. */
  retry(): Promise<boolean>
  /** Gives it up for good. */
  discard(): Promise<boolean>
}

export interface SyncStore {
  readonly userId: string
  readonly workspaceId: string
  readonly status: SyncStatus
  readonly failures: readonly SyncFailure[]
  /** The ops that the server has not answered, in the order of writing. */
  readonly outbox: readonly PendingOp[]
  /** The rows of a table; the definition makes their type. */
  table<Table extends SyncedTable>(definition: Table): StoreTable<RowOf<Table>>
  /** Calls `listener` after each change of status or failures; returns a function that ends it. */
  subscribe(listener: () => void): () => void
  /** Calls `listener` where two writes of a row did not know of each other. */
  onConflict(listener: (conflict: Conflict) => void): () => void
  /**
   * Offers all writes until now to the server, and pulls. A tab that does not lead asks the leading one to, and gets no
   * report.
   */
  sync(): Promise<SyncReport | undefined>
  /** A server says that its head is `head`: starts a pull, remembered until one has passed it. Moves no cursor. */
  hint(head: number): void
  /** Pulls soon, as after waking up. */
  requestPull(): void
  /** Milliseconds between pulls that nothing has asked for, where no live connection tells of changes. */
  setPace(ms: number): void
  /** The user's switch; all tabs of the store follow. */
  setOnline(isOnline: boolean): void
  /** Goes on after the session has ended, as with a new one. */
  resume(): void
  /** Takes ready ops as they are, each of them to be pushed. Resolves as `saved` of a write. */
  importOps(ops: Iterable<PendingOp>): Promise<boolean>
  /** All that is known, tombstones too: for comparing devices. */
  entries(): Iterable<Readonly<Entry> & { readonly table: string }>
  /** True from the call of `close` on. */
  readonly isClosed: boolean
  /** Stops syncing and closes; what waits is kept. Further writes throw. */
  close(): Promise<void>
}

export interface StoreOptions {
  userId: string
  workspaceId: string
  transport: Transport
  storage: Storage
  tables?: readonly SyncedTable[] | undefined
  paceMs?: number | undefined
  isAutomatic?: boolean | undefined
  isLive?: boolean | undefined
  now?: (() => number) | undefined
  random?: (() => number) | undefined
  locks?: LockManager | null | undefined
  profile?: string | undefined
  onClose?: (() => void) | undefined
}
