/**
 * One sync run: push the outbox, pull to the head, tell the server how far this device has read.
 * What the transport throws ends the run and goes into the report; whatever was settled before stays settled.
 */
import type { Device } from './device.ts'
import { pullToHead } from './pull.ts'
import { pushOutbox } from './push.ts'
import { TransportError } from './transport.ts'
import type { SyncReport } from './types.ts'

export async function runSync(device: Device): Promise<SyncReport> {
  const report = startReport()
  const startedAt = performance.now()
  let pulledFrom: number | undefined
  try {
    await pushOutbox(device, report)
    pulledFrom = performance.now()
    await pullToHead(device, report)
    await storeCursor(device)
    report.ok = true
  }
  catch (error) {
    if (!(error instanceof TransportError)) throw error
    const { message, status, code, retryAfterSeconds } = error
    report.error = { message, status, code, retryAfterSeconds }
  }
  const endedAt = performance.now()
  report.pushMs = (pulledFrom ?? endedAt) - startedAt
  report.pullMs = endedAt - (pulledFrom ?? endedAt)
  return finishReport(device, report)
}

export function reportOffline(device: Device): SyncReport {
  const error = { message: 'This device is offline.', status: 0, code: 'NETWORK_ERROR' }
  return finishReport(device, { ...startReport(), offline: true, error })
}

/** The server only uses the cursor to keep history for slow devices: a lost one costs nothing, the next run sends it. */
async function storeCursor(device: Device): Promise<void> {
  const version = device.cursor
  if (version === device.storedCursor) return
  try {
    await device.transport.updateCursor({
      scope: { workspaceId: device.workspaceId },
      deviceId: device.deviceId,
      version,
    })
    device.storedCursor = version
  }
  catch (error) {
    if (!(error instanceof TransportError)) throw error
    // Refused for good, as after a restored backup that knows a later cursor: asking again would not help.
    if (error.status === 400 || error.status === 409) device.storedCursor = version
  }
}

function startReport(): SyncReport {
  return {
    ok: false,
    offline: false,
    pushed: 0,
    failed: 0,
    pulled: 0,
    pages: 0,
    snapshot: false,
    cursor: 0,
    head: 0,
    pending: 0,
    pushMs: 0,
    pullMs: 0,
  }
}

function finishReport(device: Device, report: SyncReport): SyncReport {
  return { ...report, cursor: device.cursor, head: device.head, pending: device.outbox.pending.length }
}
