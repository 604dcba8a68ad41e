/**
 * Offers every op of the outbox once. A refused op leaves the outbox for `failed`, everything else stays until the
 * server has answered it; one bad op never holds back its neighbours, even where a host refuses the whole batch.
 */
import type { Device } from './device.ts'
import { describeOp } from './entries.ts'
import { TransportError } from './transport.ts'
import type { SyncReport } from './types.ts'
import type { PendingOp, PushReceipt } from './wire.ts'

/** Sending such an op again can only get the same answer. */
const PERMANENT_CODES = new Set(['VALIDATION_ERROR', 'OVERSIZED', 'UNAUTHORIZED', 'CONFLICT'])

export async function pushOutbox(device: Device, report: SyncReport): Promise<void> {
  const tried = new Set<string>()
  for (;;) {
    const batch = device.outbox.nextBatch(device.batchSize, tried)
    if (batch.length === 0) return
    for (const op of batch) tried.add(op.stamp.opId)
    try {
      await pushBatch(device, batch, report)
    }
    finally {
      device.notify()
    }
  }
}

async function pushBatch(device: Device, batch: PendingOp[], report: SyncReport): Promise<void> {
  const refusal = await sendBatch(device, batch, report)
  if (!refusal) return
  if (batch.length === 1) {
    const errorCode = refusal.status === 413 ? 'OVERSIZED' : 'VALIDATION_ERROR'
    return settle(
      device,
      batch[0]!,
      { opId: batch[0]!.stamp.opId, success: false, error: refusal.message, errorCode },
      report,
    )
  }
  const middle = batch.length >> 1
  await pushBatch(device, batch.slice(0, middle), report)
  await pushBatch(device, batch.slice(middle), report)
}

/** Answers with the error when the batch was refused because of one of its ops. */
async function sendBatch(device: Device, batch: PendingOp[], report: SyncReport): Promise<TransportError | undefined> {
  try {
    const answer = await device.transport.push({ scope: { workspaceId: device.workspaceId }, ops: batch })
    device.head = Math.max(device.head, answer.serverVersion)
    const receipts = new Map(answer.results.map(receipt => [receipt.opId, receipt]))
    for (const op of batch) settle(device, op, receipts.get(op.stamp.opId), report)
    return undefined
  }
  catch (error) {
    if (error instanceof TransportError && blamesAnOp(error)) return error
    for (const op of batch) device.outbox.countAttempt(op)
    throw error
  }
}

/** A 400 about the request itself is not an op's fault: taking it for one would cost the user his edits. */
function blamesAnOp(error: TransportError): boolean {
  return error.status === 413 || (error.status === 400 && /invalid payload for/i.test(error.message))
}

function settle(device: Device, op: PendingOp, receipt: PushReceipt | undefined, report: SyncReport): void {
  const { opId } = op.stamp
  if (receipt?.success) {
    device.entries.confirm(describeOp(op, receipt.serverVersion))
    device.outbox.drop(op)
    device.entries.dropPending(op)
    report.pushed++
  }
  else if (receipt && PERMANENT_CODES.has(receipt.errorCode ?? '')) {
    // A newer local write may have taken its place while it was on its way: then its failure is nobody's news.
    if (device.outbox.has(opId)) {
      device.outbox.fail({ op, error: receipt.error ?? 'The server refused it.', errorCode: receipt.errorCode ?? '' })
    }
    device.entries.dropPending(op)
    report.failed++
  }
  else {
    device.outbox.countAttempt(op)
  }
}
