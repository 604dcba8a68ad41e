/** The parts that the files of the engine share. Nothing here is seen by an app. */
import type { JsonObject, PendingOp, Revision } from '../shared/protocol.ts'

/** What a device knows of one key. A tombstone has no row. */
export interface Entry extends Revision {
  pk: string
  /** The device that wrote it; a snapshot does not say. */
  by?: string | undefined
  /** The server version; unknown after a snapshot, and for an op that waits. */
  at?: number | undefined
  row?: JsonObject | undefined
  /** The segment it is stored in; 0 in the tail. */
  seg: number
}

export type EntriesByTable = Record<string, Entry[]>

/** An op that the server has not answered, as it is stored. */
export interface OutboxItem {
  opId: string
  /** Ascends in the order of writing. */
  order: number
  op: PendingOp
  /** An imported op: newer writes of the same key do not replace it. */
  isWhole?: boolean | undefined
}

/** An own op that has no effect: refused by the server for good, or beaten by a concurrent write. */
export interface FailureRecord {
  opId: string
  kind: 'refused' | 'lost'
  op: PendingOp
  code: string
  message: string
  /** Epoch milliseconds. */
  at: number
  /** What won, as far as it is known; without `row` a delete. */
  winner?: { by?: string | undefined, row?: JsonObject | undefined, revision: Revision } | undefined
}

export interface Meta {
  /** 1; a store of another format is left alone. */
  format: number
  /** Tells stores apart, for a store that was deleted and made anew. */
  storeId: string
  deviceId: string
  /** Counts the transactions of the store. */
  seq: number
  cursor: number
  head: number
  /** The newest hybrid logical clock stamp made or seen. */
  hlc: string
  /** The segments of this generation count; others are a snapshot that is being read, or was given up. */
  generation: number
  /** The store holds the whole workspace as of `cursor`. */
  isComplete: boolean
}

/** Rows stored together, as one record of JSON text. */
export interface Segment {
  id: number
  generation: number
  table: string
  entries: Entry[]
}

/** One transaction. Each field is optional; all of it is stored, or nothing. */
export interface Commit {
  meta?: Partial<Omit<Meta, 'format' | 'storeId' | 'seq'>> | undefined
  /** The node of a hybrid logical clock that writes here. */
  node?: string | undefined
  putOps?: OutboxItem[] | undefined
  dropOps?: string[] | undefined
  entries?: EntriesByTable | undefined
  putFailures?: FailureRecord[] | undefined
  dropFailures?: string[] | undefined
  /** The tail goes into `segments`, with what is left of `dropSegments`. */
  fold?: { segments: Segment[], dropSegments: number[] } | undefined
  /** The segments of `meta.generation` replace all others, and the tail. */
  isSwap?: boolean | undefined
}
