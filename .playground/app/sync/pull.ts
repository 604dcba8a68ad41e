/**
 * Reads the workspace from the cursor to the head, page by page; a page and its cursor take effect together.
 * Told to start afresh, it replaces the confirmed state by a snapshot; the outbox stays on top of either.
 */
import { areConcurrent } from './decisions.ts'
import type { Device } from './device.ts'
import { describeChange, describeSnapshotItem } from './entries.ts'
import { compareRevisions } from './revision.ts'
import { TransportError } from './transport.ts'
import type { Entry, SyncReport } from './types.ts'
import type { PullResponse, SnapshotResponse, SyncChange } from './wire.ts'

export async function pullToHead(device: Device, report: SyncReport): Promise<void> {
  for (;;) {
    const answer = await device.transport.pull({
      scope: { workspaceId: device.workspaceId },
      cursor: device.cursor,
      limit: device.pageSize,
      tables: device.tables,
      // A conflict is shown by the change that lost.
      history: true,
    })
    if (answer.requiresSnapshot) {
      if (report.snapshot) throw breach('asks for a snapshot right after one')
      await takeSnapshot(device)
      report.snapshot = true
    }
    else {
      applyPage(device, answer)
      report.pulled += answer.changes.length
      report.pages++
    }
    device.notify()
    if (!answer.requiresSnapshot && !answer.hasMore) return
  }
}

function applyPage(device: Device, page: PullResponse): void {
  if (page.nextCursor < device.cursor) throw breach('moved the cursor back')
  if (page.hasMore && page.nextCursor === device.cursor) throw breach('has more changes but does not move the cursor')
  for (const change of keepLatestOfEachAuthor(page.changes)) applyChange(device, change)
  device.cursor = page.nextCursor
  device.head = Math.max(device.head, page.nextCursor)
}

function applyChange(device: Device, change: SyncChange): void {
  const incoming = describeChange(change)
  const held = device.entries.get(change.tableName, change.pk)
  if (held && !device.outbox.has(change.stamp.opId)) {
    const heldIsPending = device.entries.isPending(change.tableName, change.pk)
    if (areConcurrent({ incoming, held, heldIsPending })) device.decisions.record(incoming, held, device.now())
  }
  device.clock.observe(change.stamp.hlc)
  device.entries.confirm(incoming)
}

/** Drafts that their own author overwrote cannot win, and would only blur which two writes met. */
function keepLatestOfEachAuthor(changes: SyncChange[]): SyncChange[] {
  const latest = new Map<string, SyncChange>()
  for (const change of changes) {
    const author = JSON.stringify([change.tableName, change.pk, change.stamp.deviceId])
    const held = latest.get(author)
    if (!held || compareRevisions(change.stamp, held.stamp) > 0) latest.set(author, change)
  }
  return [...latest.values()]
}

async function takeSnapshot(device: Device): Promise<void> {
  let snapshot
  try {
    snapshot = await readSnapshot(device)
  }
  catch (error) {
    // A snapshot may expire while it is read; a second one in a row would never end.
    if (!(error instanceof TransportError && error.status === 410)) throw error
    snapshot = await readSnapshot(device)
  }
  device.entries.replaceConfirmed(snapshot.entries)
  device.cursor = snapshot.highWatermark
  device.head = snapshot.highWatermark
  for (const { revision } of snapshot.entries) device.clock.observe(revision.hlc)
}

async function readSnapshot(device: Device): Promise<{ entries: Entry[], highWatermark: number }> {
  if (!device.transport.snapshot) throw breach('asks for a snapshot, which this transport cannot read')
  const entries: Entry[] = []
  let first: SnapshotResponse | undefined
  let pageToken: string | undefined
  do {
    const page = await device.transport.snapshot({
      scope: { workspaceId: device.workspaceId },
      pageSize: device.pageSize,
      pageToken,
      tables: device.tables,
    })
    first ??= page
    if (page.workspaceId !== device.workspaceId) throw breach('sent a snapshot of another workspace')
    if (page.snapshotId !== first.snapshotId) throw breach('changed the snapshot while it was read')
    entries.push(...page.items.map(describeSnapshotItem))
    if (page.nextPageToken !== null && page.nextPageToken === pageToken) throw breach('repeats a snapshot page')
    pageToken = page.nextPageToken ?? undefined
  } while (pageToken !== undefined)
  return { entries, highWatermark: first.highWatermark }
}

function breach(what: string): TransportError {
  return new TransportError(502, `The server ${what}.`, { code: 'SERVER_ERROR' })
}
