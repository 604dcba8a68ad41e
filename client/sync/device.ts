/** What one run of the sync works with. */
import type { HybridClock } from '../../shared/hlc.ts'
import type { State } from '../state.ts'
import { TransportError, type Transport } from '../transport.ts'
import type { Entry } from '../types.ts'
import type { Writer } from '../writer.ts'

export interface SyncDevice {
  readonly workspaceId: string
  readonly state: State
  readonly writer: Writer
  readonly transport: Transport
  readonly clock: HybridClock
  readonly now: () => number
  /** No other tab of this browser syncs this store. */
  isAlone: boolean
  /** Versions beyond the cursor that receipts have named: own ones, which need no pull. */
  readonly ownAhead: Set<number>
  /** When each op that was not taken may be pushed again is in the outbox; when the cursor was last reported, here. */
  reported: { version: number, at: number }
  /** The user may only read here: until when nothing is pushed, in epoch milliseconds, and the server's words. */
  hold: { until: number, error: TransportError } | undefined
  /** The device is another from now on: somewhere a copy of this store writes under the same id. */
  renameDevice(): void
  onConflict(conflict: Conflict): void
}

/** Two writes of one key that did not know of each other. */
export interface Conflict {
  table: string
  pk: string
  winner: Contender
  loser: Contender
  decidedBy: 'clock' | 'hlc' | 'op_id'
}

/** One side of a conflict; without `row` it is a delete. */
export type Contender = Omit<Entry, 'seg' | 'pk' | 'at'>

/** What a run did. */
export interface SyncReport {
  /** True where the outbox was offered and everything up to the head was read. */
  ok: boolean
  pushed: number
  refused: number
  pulled: number
  snapshot: boolean
  error?: TransportError | undefined
}

/** An answer that breaks the protocol. */
export function createBreach(what: string): TransportError {
  return new TransportError(502, `The server ${what}.`, { code: 'SERVER_ERROR' })
}
