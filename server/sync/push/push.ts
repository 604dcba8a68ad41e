/**
 * A push, told as one story: check the shape, validate each op by itself, write what holds in one transaction, tell the
 * commit, answer with one receipt per op. Upholds P1 to P4 and P7 to P9.
 */
import type { PushBatch, PushResult } from '../../../shared/protocol.ts'
import { pushBatch } from '../../../shared/shapes.ts'
import { readSyncSettings } from '../../config/sync.ts'
import type { SyncDatabase } from '../../database/types.ts'
import { createSyncError } from '../../errors.ts'
import { parseRequest } from '../../lib/parse-request.ts'
import { assertScope, type UserCaller } from '../caller.ts'
import type { EngineContext } from '../context.ts'
import type { Merge } from './merge.ts'
import { readWinners } from './reads.ts'
import { validateOp } from './validate.ts'
import { writeOptimistic } from './write-ops.ts'

/**
 * Applies a batch of ops; resolves after the commit. Throws INVALID_REQUEST for a wrong shape or too many ops, and the
 * database's refusals. An op that cannot be applied gets a receipt and its neighbours go on.
 */
export async function push(context: EngineContext, caller: UserCaller, batch: PushBatch): Promise<PushResult> {
  refuseTooManyOps(batch)
  const { scope, ops } = parseRequest(pushBatch, batch, 'Invalid push request')
  assertScope(caller, scope)
  const validated = ops.map(op => validateOp(op, caller))
  const { merge, horizon } = await context.database.write(tx => writeOptimistic(context, tx, caller, validated))
  if (merge.log.length > 0) context.commits.tell({ workspaceId: caller.workspaceId, head: merge.head })
  context.applied.tell(caller, merge)
  context.deferredDevices.add(caller, merge.deferredDevices, horizon)
  if (merge.superseded.length > 0) await addWinners(context.database, caller.workspaceId, merge)
  return { results: merge.receipts, serverVersion: merge.head }
}

/** Before the shape is checked: the issues of millions of wrong ops would fill the memory. */
function refuseTooManyOps(batch: Partial<PushBatch> | null | undefined) {
  const ops = batch?.ops
  const { maxOpsPerPush } = readSyncSettings()
  if (Array.isArray(ops) && ops.length > maxOpsPerPush) {
    throw createSyncError('INVALID_REQUEST', `Invalid push request: ops: at most ${maxOpsPerPush} in one push`)
  }
}

/** Adds to each superseded op's receipt what won. After the commit: the writer need not wait, and a change stays what it was. */
async function addWinners(database: SyncDatabase, workspaceId: string, { superseded }: Merge) {
  const versions = superseded.map(one => one.winnerVersion)
  const winners = await readWinners(database, workspaceId, versions).catch((cause: unknown) => {
    throw createSyncError('DATABASE_UNAVAILABLE', 'The push was written, but its answer could not be read: send it again.', { cause })
  })
  superseded.forEach(({ receipt }, place) => {
    const winner = winners.get(place)
    if (!winner) return
    receipt.winner = winner
    if (winner.kind === 'put') receipt.payload = winner.payload
  })
}
