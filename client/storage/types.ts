/** Where a store keeps its data. Two implementations: IndexedDB and memory. */
import type { Commit, EntriesByTable, FailureRecord, Meta, OutboxItem, Segment } from '../types.ts'

/** Why a store is not, or no longer, kept on disk. */
export type StorageProblem = 'absent' | 'timeout' | 'full' | 'deleted' | 'upgraded' | 'failed'

/** The store is not, or no longer, kept on disk: `problem` says why. */
export class StorageError extends Error {
  readonly problem: StorageProblem

  constructor(problem: StorageProblem, cause?: unknown) {
    super(`The store cannot be kept on disk: ${problem}.`, { cause })
    this.name = 'StorageError'
    this.problem = problem
  }
}

/** All that is stored. */
export interface Stored {
  meta: Meta
  nodes: string[]
  /** In no order; of two entries of one key the greater revision counts. */
  segments: Segment[]
  tail: EntriesByTable
  ops: OutboxItem[]
  failures: FailureRecord[]
}

export interface StoreFile {
  readonly isDurable: boolean
  /** Reads everything. A new store takes `initial`; of two tabs that make one at once, the first one's counts. */
  load(initial: Meta): Promise<Stored>
  /** The store's `seq`; 0 where it was emptied. */
  readSeq(): Promise<number>
  /**
   * One transaction. With `expect`, nothing is stored unless the store's `seq` is that.
   * Resolves with the store's `seq` after it, once it is durable.
   */
  commit(commit: Commit, expect?: number): Promise<{ isDone: boolean, seq: number }>
  /** Stores segments of a generation that does not count yet. */
  stage(segments: Segment[]): Promise<void>
  /** Removes the segments of generations that do not count. Only for the one tab that reads snapshots. */
  dropStaged(): Promise<void>
  close(): void
}

export interface Storage {
  /** Rejects with a `StorageError`. `onLost` is called where the store is taken away later. */
  open(name: string, onLost: (error: StorageError) => void): Promise<StoreFile>
  /** Deletes a store; one that is not there is deleted already. */
  destroy(name: string): Promise<void>
  /** The names of the stores that are kept here. */
  list?(): Promise<string[]>
}
