/**
 * A push, told as one story: who asks, what shape, which ops may be written; then in one transaction what is there,
 * who wins, what is written; and after the commit the answer. Upholds P1 to P4 and P7 to P9.
 */
import type { H3Event } from 'h3'
import { isDuplicate } from '../../db/driver-error.ts'
import type { SyncDatabase, WriteTransaction } from '../../db/open.ts'
import { maxRowsPerStatement } from '../../db/statement.ts'
import { fail } from '../../errors.ts'
import { type Caller, identifyCaller } from '../caller.ts'
import { nowSeconds } from '../../clock.ts'
import type { PushBatch, PushResult } from '../gateway/types.ts'
import { findHeld, hold } from '../held-devices.ts'
import { beginLog } from '../log.ts'
import { readSyncSettings } from '../settings.ts'
import { parseRequest, pushBatch } from '../wire.ts'
import { type AdmittedOp, admitOp, isAdmitted, type Refusal } from './admit.ts'
import { guessEnd, noteEnd } from './heads.ts'
import { type Merge, mergeOps } from './merge.ts'
import { answerRepeat, remember } from './recent.ts'
import { readBefore, readBehind, readSeen, readWinners } from './reads.ts'
import { addRows, appendLog, claimVersions, moveHead, pointRows, pointTombstones, takeBack } from './writes.ts'

export async function push(database: SyncDatabase, event: H3Event, batch: PushBatch): Promise<PushResult> {
  refuseTooManyOps(batch)
  const { scope, ops } = parseRequest(pushBatch, batch, 'Invalid push request')
  const caller = identifyCaller(event, scope.workspaceId)
  const repeat = answerRepeat(database, caller, ops)
  if (repeat) return repeat
  const admitted = ops.map(op => admitOp(op, caller))
  const { merge, horizon } = await database.write(tx => writeOps(database, tx, caller, admitted, 'as needed'))
  remember(database, caller, merge)
  hold(database, caller, merge.heldDevices, horizon)
  if (merge.outdone.length > 0) await tellWinners(database, caller.workspaceId, merge)
  return { results: merge.receipts, serverVersion: merge.head }
}

/** Before their shape is looked at: what is wrong with each of millions would fill the memory. */
function refuseTooManyOps(batch: Partial<PushBatch> | null | undefined) {
  const ops = batch?.ops
  const { maxOpsPerPush } = readSyncSettings()
  if (Array.isArray(ops) && ops.length > maxOpsPerPush) throw fail('INVALID_REQUEST', `Invalid push request: ops: at most ${maxOpsPerPush} in one push`)
}

/**
 * Nearly always an op is new, and one with the first clock of a row is its first: then the unique indexes say so for less
 * than a look. Where they refuse it, what was written is taken back, and the second try looks at all there is.
 */
type Look = 'as needed' | 'at all'

async function writeOps(database: SyncDatabase, tx: WriteTransaction, caller: Caller, ops: readonly (AdmittedOp | Refusal)[], look: Look): Promise<Written> {
  const { workspaceId, userId } = caller
  const admitted = ops.filter(isAdmitted)
  const areFirst = look === 'as needed' && admitted.length > 0 && admitted.length <= maxRowsPerStatement && admitted.every(op => op.operation === 'put' && op.clock <= 1)
  const end = areFirst ? guessEnd(database, workspaceId) : undefined
  const isClaimed = end !== undefined && await claimVersions(tx, workspaceId, end, admitted.length)
  const { logId, head, horizon, winners } = isClaimed ? { ...end, winners: noWinners } : await readBefore(tx, workspaceId, areFirst ? [] : admitted)
  const behind = horizon > 0 ? await readBehind(tx, workspaceId, admitted) : []
  const seen = look === 'at all' ? await readSeen(tx, workspaceId, admitted) : new Map<string, never>()
  const held = findHeld(database, caller, behind, horizon)
  const merge = mergeOps(ops, { head, winners, seen, held }, userId)
  const lookAgain = async (inLog = logId) => {
    if (inLog !== undefined) await takeBack(tx, inLog, head)
    return writeOps(database, tx, caller, ops, 'at all')
  }
  if (look === 'as needed' && merge.log.length < admitted.length) return lookAgain()
  if (merge.log.length > 0) {
    const ownLogId = logId ?? await beginLog(tx, workspaceId)
    try {
      await writeMerge(tx, ownLogId, merge, areFirst)
    }
    catch (error) {
      if (look === 'at all' || !isDuplicate(error)) throw error
      return lookAgain(ownLogId)
    }
    if (!isClaimed) await moveHead(tx, ownLogId, merge.head)
    noteEnd(database, workspaceId, { logId: ownLogId, head: merge.head, horizon })
  }
  return { merge, horizon }
}

interface Written { merge: Merge, horizon: number }

const noWinners = new Map<string, never>()

async function writeMerge(tx: WriteTransaction, logId: number, { log, rows, tombstones }: Merge, areFirst: boolean) {
  const now = nowSeconds()
  await appendLog(tx, logId, log, now)
  if (rows.length > 0) await (areFirst ? addRows : pointRows)(tx, logId, rows)
  if (tombstones.length > 0) await pointTombstones(tx, logId, tombstones, now)
}

/** After the commit: the writer need not wait for it, and a change stays what it was. */
async function tellWinners(database: SyncDatabase, workspaceId: string, { outdone }: Merge) {
  const winners = await readWinners(database, workspaceId, outdone.map(one => one.winnerVersion)).catch((cause: unknown) => {
    throw fail('DATABASE_UNAVAILABLE', 'The push was written, but its answer could not be read: send it again.', { cause })
  })
  outdone.forEach(({ receipt }, place) => {
    const winner = winners.get(place)
    if (!winner) return
    receipt.winner = winner
    if (winner.kind === 'put') receipt.payload = winner.payload
  })
}
