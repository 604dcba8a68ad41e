/**
 * A push, told as one story: who asks, what shape, which ops may be written; then in one transaction what is there,
 * who wins, what is written; and the answer after the commit. Upholds P1 to P4 and P7 to P9.
 */
import type { H3Event } from 'h3'
import type { SyncDatabase, WriteTransaction } from '../../db/open.ts'
import { fail } from '../../errors.ts'
import { type Caller, identifyCaller } from '../caller.ts'
import { nowSeconds } from '../../clock.ts'
import type { PushBatch, PushResult } from '../gateway/types.ts'
import { findHeld, hold } from '../held-devices.ts'
import { beginLog } from '../log.ts'
import { readSyncSettings } from '../settings.ts'
import { parseRequest, pushBatch } from '../wire.ts'
import { type AdmittedOp, admitOp, isAdmitted, type Refusal } from './admit.ts'
import { type Merge, mergeOps } from './merge.ts'
import { answerRepeat, remember } from './recent.ts'
import { appendIfNew, appendLog, moveHead, pointRows, pointTombstones, readBefore, readSeen, readWinners } from './statements.ts'

export async function push(database: SyncDatabase, event: H3Event, batch: PushBatch): Promise<PushResult> {
  const { scope, ops } = parseRequest(pushBatch, batch, 'Invalid push request')
  const caller = identifyCaller(event, scope.workspaceId)
  const { maxOpsPerPush } = readSyncSettings()
  if (ops.length > maxOpsPerPush) throw fail('INVALID_REQUEST', `Invalid push request: ops: at most ${maxOpsPerPush} in one push`)
  const repeat = answerRepeat(database, caller, ops)
  if (repeat) return repeat
  const admitted = ops.map(op => admitOp(op, caller))
  const { merge, horizon } = await database.write(tx => writeOps(database, tx, caller, admitted))
  remember(database, caller, merge)
  hold(database, caller, merge.heldDevices, horizon)
  return { results: merge.receipts, serverVersion: merge.head }
}

async function writeOps(database: SyncDatabase, tx: WriteTransaction, caller: Caller, ops: readonly (AdmittedOp | Refusal)[]) {
  const { workspaceId, userId } = caller
  const admitted = ops.filter(isAdmitted)
  const found = await readBefore(tx, workspaceId, admitted)
  const before = { ...found, held: findHeld(database, caller, found.behind, found.horizon) }
  const now = nowSeconds()
  let merge = mergeOps(ops, { ...before, seen: new Map() }, userId)
  if (merge.log.length === 0 && found.logId === undefined) return { merge, horizon: found.horizon }
  const logId = found.logId ?? await beginLog(tx, workspaceId)
  // Nearly always every op is new: then the log's unique index says so for less than looking them up.
  if (merge.log.length < admitted.length || !await appendIfNew(tx, logId, merge.log, now)) {
    merge = mergeOps(ops, { ...before, seen: await readSeen(tx, logId, admitted) }, userId)
    await appendLog(tx, logId, merge.log, now)
  }
  if (merge.log.length > 0) await pointToLog(tx, logId, merge, now)
  if (merge.outdone.length > 0) await tellWinners(tx, logId, merge)
  return { merge, horizon: found.horizon }
}

async function pointToLog(tx: WriteTransaction, logId: number, { rows, tombstones, head }: Merge, now: number) {
  if (rows.length > 0) await pointRows(tx, logId, rows)
  if (tombstones.length > 0) await pointTombstones(tx, logId, tombstones, now)
  await moveHead(tx, logId, head)
}

async function tellWinners(tx: WriteTransaction, logId: number, { outdone }: Merge) {
  const winners = await readWinners(tx, logId, outdone.map(one => one.winnerVersion))
  for (const { receipt, winnerVersion } of outdone) {
    const winner = winners.get(winnerVersion)
    if (!winner) continue
    receipt.winner = winner
    if (winner.kind === 'put') receipt.payload = winner.payload
  }
}
