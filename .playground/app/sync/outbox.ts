/**
 * The ops that the server has not answered yet, oldest first. Local writes to one key collapse to the newest;
 * imported ops never do, so that a whole history goes up.
 */
import type { FailedOp } from './types.ts'
import type { PendingOp } from './wire.ts'

/** A host refuses batches above 2 MiB; the margin leaves room for the envelope. */
const MAX_BATCH_BYTES = 1_500_000

export interface Outbox {
  readonly pending: readonly PendingOp[]
  readonly failed: readonly FailedOp[]
  has(opId: string): boolean
  /** Answers with the ops that the new one makes needless. */
  add(op: PendingOp, imported: boolean): PendingOp[]
  drop(op: PendingOp): void
  fail(failure: FailedOp): void
  countAttempt(op: PendingOp): void
  /** The oldest ops not in `tried`, within the size of a batch. */
  nextBatch(size: number, tried: ReadonlySet<string>): PendingOp[]
  save(): { pending: { op: PendingOp, imported: boolean }[], failed: FailedOp[] }
  restore(saved: { pending: { op: PendingOp, imported: boolean }[], failed: FailedOp[] }): void
}

export function createOutbox(): Outbox {
  const waiting = new Map<string, { op: PendingOp, imported: boolean }>()
  let failed: FailedOp[] = []
  let listed: PendingOp[] | undefined

  return {
    get pending() {
      return (listed ??= Array.from(waiting.values(), ({ op }) => op))
    },
    get failed() {
      return failed
    },
    has: opId => waiting.has(opId),
    add(op, imported) {
      const superseded = imported ? [] : findLocalOps(waiting.values(), op)
      for (const old of superseded) waiting.delete(old.stamp.opId)
      waiting.set(op.stamp.opId, { op, imported })
      listed = undefined
      return superseded
    },
    drop(op) {
      waiting.delete(op.stamp.opId)
      listed = undefined
    },
    fail(failure) {
      waiting.delete(failure.op.stamp.opId)
      failed = [...failed, failure]
      listed = undefined
    },
    countAttempt(op) {
      const held = waiting.get(op.stamp.opId)
      if (held) held.op = { ...held.op, attempts: held.op.attempts + 1 }
      listed = undefined
    },
    nextBatch(size, tried) {
      const batch: PendingOp[] = []
      let bytes = 0
      for (const { op } of waiting.values()) {
        if (tried.has(op.stamp.opId)) continue
        bytes += new TextEncoder().encode(JSON.stringify(op)).length
        if (batch.length > 0 && bytes > MAX_BATCH_BYTES) break
        batch.push(op)
        if (batch.length === size) break
      }
      return batch
    },
    save: () => ({ pending: [...waiting.values()], failed: [...failed] }),
    restore(saved) {
      waiting.clear()
      for (const item of saved.pending) waiting.set(item.op.stamp.opId, item)
      failed = [...saved.failed]
      listed = undefined
    },
  }
}

function findLocalOps(waiting: Iterable<{ op: PendingOp, imported: boolean }>, op: PendingOp): PendingOp[] {
  return Array.from(waiting)
    .filter(item => !item.imported && item.op.tableName === op.tableName && item.op.pk === op.pk)
    .map(item => item.op)
}
