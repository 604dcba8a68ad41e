/**
 * A push, told as one story: who asks, what shape, which ops may be written; then in one transaction what is there,
 * who wins, what is written; and the answer after the commit. Upholds P1 to P4, P8 and P9.
 */
import type { H3Event } from 'h3'
import type { SyncDatabase, WriteTransaction } from '../../db/open.ts'
import { fail } from '../../errors.ts'
import { type Caller, identifyCaller } from '../caller.ts'
import { nowSeconds } from '../../clock.ts'
import type { PushBatch, PushResult } from '../gateway/types.ts'
import { maxOpsPerPush } from '../limits.ts'
import { parseRequest, pushBatch } from '../wire.ts'
import { type AdmittedOp, admitOp, isAdmitted, type Refusal } from './admit.ts'
import { type Merge, mergeOps } from './merge.ts'
import { appendLog, moveHead, pointRecords, readBefore, readWinners } from './statements.ts'

export async function push(database: SyncDatabase, event: H3Event, batch: PushBatch): Promise<PushResult> {
  const { scope, ops } = parseRequest(pushBatch, batch, 'Invalid push request')
  const caller = identifyCaller(event, scope.workspaceId)
  if (ops.length > maxOpsPerPush) throw fail('INVALID_REQUEST', `Invalid push request: ops: at most ${maxOpsPerPush} in one push`)
  const admitted = ops.map(op => admitOp(op, caller))
  return database.write(tx => writeOps(tx, caller, admitted))
}

async function writeOps(tx: WriteTransaction, caller: Caller, ops: readonly (AdmittedOp | Refusal)[]): Promise<PushResult> {
  const before = await readBefore(tx, caller.workspaceId, ops.filter(isAdmitted))
  const merge = mergeOps(ops, before, caller.userId)
  if (merge.log.length > 0) {
    await appendLog(tx, caller.workspaceId, merge.log, nowSeconds())
    await pointRecords(tx, caller.workspaceId, merge.winners)
    await moveHead(tx, caller.workspaceId, merge.head)
  }
  if (merge.outdone.length > 0) await tellWinners(tx, caller, merge)
  return { results: merge.receipts, serverVersion: merge.head }
}

async function tellWinners(tx: WriteTransaction, { workspaceId }: Caller, { outdone }: Merge) {
  const winners = await readWinners(tx, workspaceId, outdone.map(one => one.winnerVersion))
  for (const { receipt, winnerVersion } of outdone) {
    const winner = winners.get(winnerVersion)
    if (!winner) continue
    receipt.winner = winner
    if (winner.kind === 'put') receipt.payload = winner.payload
  }
}
