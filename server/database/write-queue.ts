/** What the writer of a local file and that of a database server share: the bound of their queue, and their figures. */
import type { ErrorCode } from '../../shared/error-codes.ts'
import { createSyncError, type SyncError } from '../errors.ts'
import type { Condition } from './condition.ts'

/** What the writer has done since the start, for whoever watches it. */
export interface WriterActivity {
  readonly queued: number
  readonly commits: number
  /** Jobs acknowledged. */
  readonly jobs: number
  /** How often another process's lock was waited for. */
  readonly busyWaits: number
  /** The code of what the last reads and writes met (condition.ts); null where they went well. */
  readonly problem: ErrorCode | null
  /** False where the last write failed, or could not be acknowledged. */
  readonly isWritable: boolean
}

/** A queue this long will not be served in time: refusing at once beats refusing late. */
const maxQueuedWrites = 10_000

/** Why a new write may not be queued; undefined where it may. */
export function findWriteRefusal(isStopping: boolean, queued: number): SyncError | undefined {
  if (isStopping) {
    return createSyncError('DATABASE_UNAVAILABLE', 'The server is stopping; nothing was written. Try again.')
  }
  if (queued >= maxQueuedWrites) {
    return createSyncError('DATABASE_BUSY', 'Too many writes are waiting; nothing was written. Try again.')
  }
  return undefined
}

/** The figures of a writer as they are when they are read. */
export function createActivity(
  queue: readonly unknown[], counts: Pick<WriterActivity, 'commits' | 'jobs' | 'busyWaits'>, condition: Condition,
): WriterActivity {
  return {
    get queued() {
      return queue.length
    },
    get commits() {
      return counts.commits
    },
    get jobs() {
      return counts.jobs
    },
    get busyWaits() {
      return counts.busyWaits
    },
    get problem() {
      return condition.problem
    },
    get isWritable() {
      return condition.problem === null || !condition.isWriteFailing
    },
  }
}
