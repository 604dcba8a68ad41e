/**
 * Writes the valid ops of a push, within the writer's transaction, in one of two ways. *Optimistic* inserts without
 * looking up op ids: nearly every op is new, and the unique indexes refuse one that is not. *Checked* looks everything
 * up first. The first falls back to the second.
 */
import { isDuplicate } from '../../database/driver-error.ts'
import { maxRowsPerStatement, readRows } from '../../database/statement.ts'
import type { WriteTransaction } from '../../database/types.ts'
import { nowSeconds } from '../../lib/clock.ts'
import type { Caller } from '../caller.ts'
import type { EngineContext } from '../context.ts'
import { deferDevices } from '../deferred-devices.ts'
import { beginLog } from '../log.ts'
import type { Usage } from '../quota.ts'
import { type Merge, mergeOps } from './merge.ts'
import { readSeen, readStoredState, selectDeferred, toDeferred } from './reads.ts'
import { isValidOp, type Refusal, type ValidOp } from './validate.ts'
import { addRows, appendLog, claimVersions, moveHead, pointRows, pointTombstones, undoAppend } from './writes.ts'

type Ops = readonly (ValidOp | Refusal)[]

/** Inserts the ops as new. Undoes that and writes them checked where one of them is not new, or may not be written. */
export async function writeOptimistic(
  context: EngineContext, tx: WriteTransaction, caller: Caller, ops: Ops,
): Promise<Merge> {
  const { workspaceId } = caller
  const valid = ops.filter(isValidOp)
  const areFirst = areFirstPuts(valid)
  const end = areFirst ? context.heads.get(workspaceId) : undefined
  const claimed = weigh(valid)
  const isClaimed = end !== undefined && await claimVersions(tx, workspaceId, end, claimed)
  const stored = isClaimed
    ? { ...end, winners: nothing }
    : await readStoredState(tx, workspaceId, areFirst ? [] : valid)
  const { head, horizon, winners } = stored
  const deferred = await findDeferred(tx, caller, valid, horizon)
  const left = context.quotas.left(workspaceId)
  const merge = mergeOps(ops, { head, winners, seen: nothing, deferred, left }, caller)
  if (merge.log.length < valid.length) {
    if (isClaimed) await undoAppend(tx, end.logId, head, claimed)
    return writeChecked(context, tx, caller, ops)
  }
  if (merge.log.length === 0) return merge

  const logId = stored.logId ?? await beginLog(tx, workspaceId)
  if (!await tryToWrite(tx, logId, merge, areFirst)) {
    await undoAppend(tx, logId, head, isClaimed ? claimed : none)
    return writeChecked(context, tx, caller, ops)
  }
  if (!isClaimed) await moveHead(tx, logId, merge.head, merge.used)
  context.heads.set(workspaceId, { logId, head: merge.head, horizon })
  context.quotas.spend(workspaceId, merge.used)
  return merge
}

/** Looks up the op ids and the winners of all keys, then writes what the merge decides. */
async function writeChecked(context: EngineContext, tx: WriteTransaction, caller: Caller, ops: Ops): Promise<Merge> {
  const { workspaceId } = caller
  const valid = ops.filter(isValidOp)
  const { logId, head, horizon, winners } = await readStoredState(tx, workspaceId, valid)
  const seen = await readSeen(tx, workspaceId, valid)
  const deferred = await findDeferred(tx, caller, valid, horizon)
  const merge = mergeOps(ops, { head, winners, seen, deferred, left: context.quotas.left(workspaceId) }, caller)
  await defer(tx, caller, merge, horizon)
  if (merge.log.length > 0) {
    const ownLogId = logId ?? await beginLog(tx, workspaceId)
    await writeMerge(tx, ownLogId, merge, false)
    await moveHead(tx, ownLogId, merge.head, merge.used)
    context.heads.set(workspaceId, { logId: ownLogId, head: merge.head, horizon })
    context.quotas.spend(workspaceId, merge.used)
  }
  return merge
}

/** A put with the first clock of a row is nearly always the row's first: its key need not be looked up either. */
function areFirstPuts(valid: readonly ValidOp[]): boolean {
  return valid.length > 0 && valid.length <= maxRowsPerStatement
    && valid.every(op => op.operation === 'put' && op.clock <= 1)
}

const nothing = new Map<string, never>()
const none: Usage = { bytes: 0, rows: 0 }

function weigh(valid: readonly ValidOp[]): Usage {
  return { bytes: valid.reduce((sum, op) => sum + op.bytes, 0), rows: valid.length }
}

/** The server's own ops are never deferred: they get the next clock of their row within the transaction. */
async function findDeferred(tx: WriteTransaction, caller: Caller, valid: readonly ValidOp[], horizon: number) {
  if (caller.kind === 'system' || horizon === 0) return new Set<string>()
  return toDeferred(valid, await readRows(tx, selectDeferred(caller, valid)))
}

async function defer(tx: WriteTransaction, caller: Caller, { deferredDevices }: Merge, horizon: number) {
  if (caller.kind === 'system' || deferredDevices.size === 0) return
  await tx.execute(deferDevices(caller, deferredDevices, horizon, nowSeconds()))
}

/** False where a unique index refuses an op id or a key: some of it may be written then. */
async function tryToWrite(tx: WriteTransaction, logId: number, merge: Merge, areFirst: boolean): Promise<boolean> {
  try {
    await writeMerge(tx, logId, merge, areFirst)
    return true
  }
  catch (error) {
    if (!isDuplicate(error)) throw error
    return false
  }
}

async function writeMerge(tx: WriteTransaction, logId: number, { log, rows, tombstones }: Merge, areFirst: boolean) {
  const now = nowSeconds()
  await appendLog(tx, logId, log, now)
  if (rows.length > 0) await (areFirst ? addRows : pointRows)(tx, logId, rows)
  if (tombstones.length > 0) await pointTombstones(tx, logId, tombstones, now)
}
