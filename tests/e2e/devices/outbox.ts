/**
 * What a device has written and not yet pushed, as the host's clients keep it: batches of 50, the oldest first, only the
 * newest op of a key; what to do with each receipt by its code, and with a batch that was not taken at all.
 */
import type { PendingOp, PushResult } from '../../../shared/protocol.ts'
import type { Answer } from './network.ts'
import { keyOf } from './rows.ts'

const batchSize = 50
/** After the first, second and third failure; the fourth is the last. */
const retryMs = [250, 1_000, 3_000]
const permanent = new Set(['VALIDATION_ERROR', 'OVERSIZED', 'UNAUTHORIZED'])
/** The host or what stands before it cannot take anything now. */
const deferring = new Set([429, 502, 503, 504])
const defaultPatienceMs = 2_000

export function createOutbox() {
  let ops: PendingOp[] = []
  let waitUntil = 0
  const failed: { op: PendingOp, why: string }[] = []
  const counts = { deferred: 0, held: 0, retried: 0 }

  function remove(op: PendingOp) {
    ops = ops.filter(one => one !== op)
  }

  function fail(op: PendingOp, why: string, now: number) {
    counts.retried++
    const attempts = op.attempts ?? 0
    op.attempts = attempts + 1
    const delayMs = retryMs[attempts]
    if (delayMs !== undefined) return void (op.nextAttemptAt = now + delayMs)
    failed.push({ op, why })
    remove(op)
  }

  return {
    failed,
    counts,
    get pending(): readonly PendingOp[] {
      return ops
    },

    add(op: PendingOp) {
      ops.push(op)
    },

    /** The ops that are due; forgets those that a newer one of their key replaces. */
    take(now: number): PendingOp[] {
      if (now < waitUntil) return []
      const newest = new Map(ops.map(op => [keyOf(op), op]))
      ops = ops.filter(op => newest.get(keyOf(op)) === op)
      return ops.filter(op => (op.nextAttemptAt ?? 0) <= now).slice(0, batchSize)
    },

    settle(batch: readonly PendingOp[], answer: Answer<PushResult> | null, now: number) {
      if (answer && deferring.has(answer.status)) {
        counts.deferred++
        waitUntil = now + (answer.retryAfterMs ?? defaultPatienceMs)
        return
      }
      if (!answer || answer.status !== 200) {
        for (const op of batch) fail(op, `status ${answer?.status}: ${JSON.stringify(answer?.body)}`, now)
        return
      }
      for (const op of batch) {
        const result = answer.body.results.find(one => one.opId === op.stamp.opId)
        if (result?.success) remove(op)
        else if (result?.errorCode === 'RATE_LIMITED') {
          counts.held++
          op.nextAttemptAt = now + defaultPatienceMs
        }
        else if (result?.errorCode && permanent.has(result.errorCode)) {
          failed.push({ op, why: `${result.errorCode} ${result.error}` })
          remove(op)
        }
        else fail(op, result?.errorCode ?? 'UNKNOWN', now)
      }
    },
  }
}
