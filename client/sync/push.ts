/**
 * Offers the outbox once. A receipt settles its op, not the echo by a pull. An op that is refused for good leaves the
 * outbox for the failures; one bad op never holds back its neighbours, even where a host refuses the whole batch.
 */
import type { PushResult, PushResultItem } from '../../shared/protocol.ts'
import { groupByTable, type PlannedEntry } from '../commit.ts'
import { keyOf } from '../outbox.ts'
import { describeOp, pickWinner } from '../table.ts'
import { readRetryText, TransportError } from '../transport.ts'
import type { Commit, FailureRecord, OutboxItem } from '../types.ts'
import { recordConflict } from './conflict.ts'
import type { SyncDevice, SyncReport } from './device.ts'

/** The same op can only get the same answer again. */
const permanentCodes = new Set(['VALIDATION_ERROR', 'OVERSIZED', 'UNAUTHORIZED', 'CONFLICT'])
/** For an op that was not taken now. */
const retryMs = 2_000
/** A viewer's writes wait: the role may rise. */
const readOnlyMs = 60_000

/**
 * Pushes batch after batch until each op was offered. Throws what the transport throws; but of a workspace that the
 * user may only read the outbox is held, and pulls go on.
 */
export async function pushOutbox(device: SyncDevice, report: SyncReport): Promise<void> {
  if (isHeld(device)) return
  device.hold = undefined
  try {
    await pushAll(device, report)
  }
  catch (error) {
    if (!(error instanceof TransportError && error.code === 'READ_ONLY')) throw error
    device.hold = { until: device.now() + readOnlyMs, error }
  }
}

/** Nothing may be pushed now. */
export function isHeld({ hold, now }: SyncDevice): boolean {
  return hold !== undefined && now() < hold.until
}

async function pushAll(device: SyncDevice, report: SyncReport): Promise<void> {
  const tried = new Set<string>()
  for (;;) {
    const batch = device.state.outbox.nextBatch(device.now(), tried)
    if (batch.length === 0) return
    for (const { opId } of batch) tried.add(opId)
    await pushBatch(device, batch, report)
  }
}

async function pushBatch(device: SyncDevice, batch: OutboxItem[], report: SyncReport): Promise<void> {
  let answer: PushResult
  try {
    answer = await device.transport.push({ scope: { workspaceId: device.workspaceId }, ops: batch.map(({ op }) => op) })
  }
  catch (error) {
    if (!(error instanceof TransportError && blamesAnOp(error))) throw error
    if (batch.length === 1) {
      const errorCode = error.status === 413 ? 'OVERSIZED' : 'VALIDATION_ERROR'
      return settle(device, batch, [{ opId: batch[0]!.opId, success: false, error: error.message, errorCode }], report)
    }
    const middle = batch.length >> 1
    await pushBatch(device, batch.slice(0, middle), report)
    return pushBatch(device, batch.slice(middle), report)
  }
  await settle(device, batch, answer.results, report, answer.serverVersion)
}

/** A 400 about the request itself is no op's fault: taking it for one would cost the user an edit. */
function blamesAnOp({ status, message }: TransportError): boolean {
  return status === 413 || (status === 400 && /invalid payload for/i.test(message))
}

async function settle(
  device: SyncDevice, batch: OutboxItem[], results: PushResultItem[], report: SyncReport, head = 0,
): Promise<void> {
  const { outbox, meta } = device.state
  const receipts = new Map(results.map(receipt => [receipt.opId, receipt]))
  const taken: [OutboxItem, PushResultItem][] = []
  const refused: [OutboxItem, PushResultItem][] = []
  for (const item of batch) {
    const receipt = receipts.get(item.opId)
    if (receipt?.success) taken.push([item, receipt])
    else if (receipt && isPermanent(receipt)) refused.push([item, receipt])
    else outbox.postpone(item.opId, device.now() + (readRetryText(receipt?.error ?? '') ?? retryMs / 1000) * 1000)
  }
  for (const [, { serverVersion }] of taken) {
    if (serverVersion !== undefined && serverVersion > meta.cursor) device.ownAhead.add(serverVersion)
  }
  report.pushed += taken.length
  report.refused += refused.length
  if (taken.length + refused.length === 0) return
  await device.writer.update(() => planReceipts(device, taken, refused, head))
}

function isPermanent({ errorCode, retryable }: PushResultItem): boolean {
  return retryable === undefined ? permanentCodes.has(errorCode ?? '') : !retryable
}

function planReceipts(
  device: SyncDevice, taken: [OutboxItem, PushResultItem][], refused: [OutboxItem, PushResultItem][], head: number,
): Commit {
  const { state } = device
  const putFailures: FailureRecord[] = []
  const planned = new Map<string, PlannedEntry>()
  for (const [{ op }, receipt] of taken) {
    const { tableName: table, pk } = op
    const entry = describeOp(op, receipt.serverVersion)
    const key = keyOf(table, pk)
    const held = planned.get(key)?.entry ?? state.table(table).confirmed.get(pk)
    if (pickWinner(held, entry) === entry) planned.set(key, { table, entry })
    else if (held!.by !== entry.by) putFailures.push(...recordConflict(device, table, held!, entry))
  }
  for (const [{ op, opId }, { error = 'The server refused it.', errorCode = 'UNKNOWN' }] of refused) {
    // A newer write of the same key has taken its place while it was on its way: then its refusal is no news.
    if (!state.outbox.has(opId)) continue
    putFailures.push({ opId, kind: 'refused', op, code: errorCode, message: error, at: device.now() })
  }
  return {
    meta: { head: Math.max(state.meta.head, head) },
    dropOps: [...taken, ...refused].map(([{ opId }]) => opId),
    entries: groupByTable(planned.values()),
    putFailures,
  }
}
