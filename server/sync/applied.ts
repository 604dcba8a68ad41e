/**
 * Tells listeners inside the process of the ops that a commit has applied: what an app indexes or notifies by. A
 * listener runs after the commit and after the push was answered, so it can neither delay nor fail one. Told in memory
 * only: what a crash must not lose belongs in the transaction of the write itself.
 */
import { consola } from 'consola'
import { parseJson } from '../../shared/parse-json.ts'
import type { ChangeStamp, PushResultItem, SyncOperation } from '../../shared/protocol.ts'
import { mayLog } from '../lib/log-budget.ts'
import type { Caller } from './caller.ts'
import { isValidOp, type Refusal, type ValidOp } from './push/validate.ts'

/** An op that has won its key. */
export interface AppliedOp {
  tableName: string
  pk: string
  operation: SyncOperation
  /** Parsed when it is read first; undefined where the op has none. */
  readonly payload: unknown
  stamp: ChangeStamp
  serverVersion: number
  /** True where the key had a live row before. */
  wasExisting: boolean
}

/** The applied ops of one push or one write of the server, in version order. */
export interface AppliedOps {
  workspaceId: string
  /** Whose push it was; null for the server's own code. */
  userId: string | null
  ops: AppliedOp[]
}

export type AppliedListener = (applied: AppliedOps) => unknown

export interface AppliedFeed {
  /** To be called after the commit. Returns at once; the listeners run later. */
  tell(caller: Caller, ops: readonly (ValidOp | Refusal)[], receipts: readonly PushResultItem[]): void
  /** Returns what ends it. */
  listen(listener: AppliedListener): () => void
}

/** Makes the feed of one engine. */
export function createAppliedFeed(): AppliedFeed {
  const listeners = new Set<AppliedListener>()
  return {
    tell(caller, ops, receipts) {
      if (listeners.size === 0) return
      setImmediate(() => {
        const applied = toApplied(caller, ops, receipts)
        if (applied.ops.length === 0) return
        for (const listener of listeners) void call(listener, applied)
      })
    },
    listen(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

async function call(listener: AppliedListener, applied: AppliedOps): Promise<void> {
  try {
    await listener(applied)
  }
  catch (error) {
    if (mayLog()) consola.withTag('or3-sync').error('A listener of applied ops failed:', error)
  }
}

/** An op is applied where its receipt says so and it is no repeat. */
function toApplied(
  caller: Caller, ops: readonly (ValidOp | Refusal)[], receipts: readonly PushResultItem[],
): AppliedOps {
  const applied = ops.flatMap((op, index) => {
    const { applied, replayed, serverVersion, wasExisting = false } = receipts[index]!
    if (!isValidOp(op) || !applied || replayed || serverVersion === undefined) return []
    const { tableName, pk, operation, payload, deviceId, opId, hlc, clock } = op
    let parsed: { value: unknown } | undefined
    return {
      tableName, pk, operation, serverVersion, wasExisting,
      stamp: { deviceId, opId: opId.toLowerCase(), hlc, clock },
      get payload() {
        parsed ??= { value: payload === null ? undefined : parseJson(payload) }
        return parsed.value
      },
    }
  })
  return { workspaceId: caller.workspaceId, userId: caller.kind === 'user' ? caller.userId : null, ops: applied }
}
