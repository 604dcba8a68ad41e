/**
 * One run of the sync: push the outbox, pull to the head, tell the server how far this device has read. Where nothing
 * waits to be pushed it pulls first, and then looks for what other tabs have stored.
 * What the transport throws ends the run; whatever was settled before stays settled.
 */
import { TransportError } from '../transport.ts'
import type { SyncDevice, SyncReport } from './device.ts'
import { pullToHead } from './pull.ts'
import { pushOutbox } from './push.ts'

/** The server needs a cursor only to keep history for slow devices. */
const reportEveryMs = 60_000

/** Runs once; `mustPull` also where receipts show that nothing but own ops is new. Never rejects for the transport. */
export async function runSync(device: SyncDevice, mustPull: boolean): Promise<SyncReport> {
  const report: SyncReport = { ok: false, pushed: 0, refused: 0, pulled: 0, snapshot: false }
  const { meta } = device.state
  try {
    const isIdle = device.state.outbox.size === 0
    const pullsFirst = !meta.isComplete || (mustPull && isIdle)
    if (pullsFirst) await pullToHead(device, report)
    // An op of a tab that was killed before it told of it would wait in the store. The pull, which a hint may have
    // asked for, does not wait for this look.
    if (mustPull) await device.writer.refresh()
    await pushOutbox(device, report)
    if ((mustPull && !isIdle) || report.snapshot || hasForeignChanges(device)) await pullToHead(device, report)
    await reportCursor(device, report.snapshot)
    report.ok = true
  }
  catch (error) {
    report.error = error instanceof TransportError ? error : new TransportError(0, String(error), { cause: error })
  }
  return report
}

/** False where every version between the cursor and the head is known from a receipt. */
function hasForeignChanges({ state: { meta }, ownAhead }: SyncDevice): boolean {
  return meta.head > meta.cursor + ownAhead.size
}

async function reportCursor(device: SyncDevice, isUrgent: boolean): Promise<void> {
  const { reported, state: { meta }, writer } = device
  // A device in memory is gone with its page: its cursor would hold clean-up back for nobody.
  if (!writer.isDurable || reported.version === meta.cursor) return
  if (!isUrgent && device.now() - reported.at < reportEveryMs && device.now() >= reported.at) return
  device.reported = { version: meta.cursor, at: device.now() }
  try {
    await device.transport.updateCursor({
      scope: { workspaceId: device.workspaceId }, deviceId: meta.deviceId, version: meta.cursor,
    })
  }
  catch (error) {
    if (!(error instanceof TransportError)) throw error
    // Somebody has reported a newer cursor under this id. Without a lock, it may have been another tab of this store.
    if (error.status === 409 && device.isAlone) device.renameDevice()
    // Anything else costs nothing: the cursor is reported again with the next change.
  }
}
