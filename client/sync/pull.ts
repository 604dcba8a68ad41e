/**
 * Reads the workspace from the cursor to the head, page by page. A page and its cursor are stored together; a snapshot
 * is staged beside what is there and takes its place when it is whole. What waits in the outbox stays on top of either.
 */
import { readNode } from '../../shared/hlc.ts'
import type { JsonObject, PullResponse, SnapshotItem, SyncChange } from '../../shared/protocol.ts'
import { compareRevisions } from '../../shared/revision.ts'
import { groupByTable, type PlannedEntry } from '../commit.ts'
import { keyOf } from '../outbox.ts'
import { describeOp, pickWinner } from '../table.ts'
import { TransportError } from '../transport.ts'
import type { Commit, Entry, FailureRecord, Segment } from '../types.ts'
import { areConcurrent, recordConflict } from './conflict.ts'
import { createBreach, type SyncDevice, type SyncReport } from './device.ts'
import { createSegmentId, foldTail, segmentSize } from './fold.ts'

const pageSize = 500

/** Pulls to the head; where it is told to, or holds nothing yet, by a snapshot first. */
export async function pullToHead(device: SyncDevice, report: SyncReport): Promise<void> {
  const { meta } = device.state
  if (!meta.isComplete) await takeSnapshot(device, report)
  for (;;) {
    const cursor = meta.cursor
    // With the history: a conflict is known by the change that lost.
    const request = { scope: { workspaceId: device.workspaceId }, cursor, limit: pageSize, history: true }
    const page = await device.transport.pull(request)
    if (page.requiresSnapshot) {
      await takeSnapshot(device, report)
      continue
    }
    if (page.nextCursor < cursor || (page.hasMore && page.nextCursor === cursor)) {
      throw createBreach('does not move the cursor on')
    }
    let isTaken = false
    await device.writer.update(() => {
      isTaken = meta.cursor === cursor
      return isTaken ? planPage(device, page) : undefined
    })
    // Another tab went on, or back to a snapshot, while this page was on its way.
    if (!isTaken) continue
    for (const version of device.ownAhead) if (version <= meta.cursor) device.ownAhead.delete(version)
    report.pulled += page.changes.length
    await foldTail(device)
    if (!page.hasMore) return
  }
}

function planPage(device: SyncDevice, page: PullResponse): Commit | undefined {
  const { meta } = device.state
  const planned = new Map<string, PlannedEntry>()
  const putFailures: FailureRecord[] = []
  for (const change of keepLatestOfEachAuthor(page.changes)) {
    const key = keyOf(change.tableName, change.pk)
    const before = planned.get(key)?.entry
    const entry = planChange(device, change, before, putFailures)
    if (entry) planned.set(key, { table: change.tableName, entry })
  }
  const head = Math.max(meta.head, page.nextCursor)
  if (planned.size === 0 && putFailures.length === 0 && meta.cursor === page.nextCursor) return undefined
  const next = { cursor: page.nextCursor, head, hlc: device.clock.last }
  return { meta: next, entries: groupByTable(planned.values()), putFailures }
}

/** The entry that the change makes; undefined where nothing changes by it. */
function planChange(
  device: SyncDevice, change: SyncChange, before: Entry | undefined, putFailures: FailureRecord[],
): Entry | undefined {
  const { state } = device
  const { tableName, pk, stamp } = change
  const table = state.table(tableName)
  const entry = describeOp({ ...change, operation: change.op }, change.serverVersion)
  device.clock.observe(stamp.hlc)
  const isOwnOp = state.outbox.has(stamp.opId)
  if (stamp.deviceId === state.meta.deviceId && !isOwnOp && !state.nodes.has(readNode(stamp.hlc))) {
    // A copy of this store writes under the same device id.
    device.renameDevice()
  }
  const confirmed = before ?? table.confirmed.get(pk)
  const shown = before ?? table.current(pk)
  if (shown && !isOwnOp && areConcurrent(entry, shown, table.isPending(pk))) {
    const [winner, loser] = pickWinner(shown, entry) === entry ? [entry, shown] : [shown, entry]
    // A loser that still waits is told of when its receipt comes.
    if (loser !== shown || !table.isPending(pk)) putFailures.push(...recordConflict(device, tableName, winner, loser))
  }
  if (pickWinner(confirmed, entry) !== entry) return undefined
  if (confirmed?.opId === entry.opId && confirmed.at === entry.at && isEqualRow(confirmed, entry)) return undefined
  return entry
}

function isEqualRow(a: Entry, b: Entry): boolean {
  return JSON.stringify(a.row) === JSON.stringify(b.row)
}

/** Drafts that their own author has overwritten cannot win, and would only blur which two writes met. */
function keepLatestOfEachAuthor(changes: SyncChange[]): SyncChange[] {
  const latest = new Map<string, SyncChange>()
  for (const change of changes) {
    const author = JSON.stringify([change.tableName, change.pk, change.stamp.deviceId])
    const held = latest.get(author)
    if (!held || compareRevisions(change.stamp, held.stamp) > 0) latest.set(author, change)
  }
  return [...latest.values()]
}

async function takeSnapshot(device: SyncDevice, report: SyncReport): Promise<void> {
  if (report.snapshot) throw createBreach('asks for a snapshot right after one')
  const { meta } = device.state
  const { generation } = meta
  // One may expire while it is read, and another tab may go on meanwhile: a third one in a row would never end.
  for (let round = 0; ; round++) {
    try {
      if (await readSnapshot(device) || meta.generation !== generation) break
      if (round > 0) throw createBreach('could not be read as a whole')
    }
    catch (error) {
      if (!(error instanceof TransportError && error.status === 410) || round > 0) throw error
    }
  }
  report.snapshot = true
  device.ownAhead.clear()
}

/** False where another tab has pulled meanwhile: then it is not sure which of both is newer. */
async function readSnapshot({ workspaceId, state: { meta }, transport, writer, clock }: SyncDevice): Promise<boolean> {
  const before = { cursor: meta.cursor, generation: meta.generation }
  const generation = createSegmentId()
  const segments: Segment[] = []
  const filling = new Map<string, Entry[]>()
  let pageToken: string | undefined
  let first: { snapshotId: string, highWatermark: number } | undefined
  const stage = async (isLast: boolean) => {
    const full: Segment[] = []
    for (const [table, entries] of filling) {
      if (!isLast && entries.length < segmentSize) continue
      full.push({ id: createSegmentId(), generation, table, entries })
      filling.delete(table)
    }
    segments.push(...full)
    if (full.length > 0) await writer.stage(full)
  }
  do {
    const page = await transport.snapshot({
      scope: { workspaceId }, pageSize, ...pageToken !== undefined && { pageToken },
    })
    first ??= page
    const isRepeated = pageToken !== undefined && page.nextPageToken === pageToken
    if (page.workspaceId !== workspaceId || page.snapshotId !== first.snapshotId || isRepeated) {
      throw createBreach('sent a page that is not of this snapshot')
    }
    for (const item of page.items) {
      clock.observe(item.revision.hlc)
      const entries = filling.get(item.tableName) ?? []
      filling.set(item.tableName, entries)
      entries.push(describeItem(item))
    }
    pageToken = page.nextPageToken ?? undefined
    await stage(pageToken === undefined)
  } while (pageToken !== undefined)
  const { highWatermark: cursor } = first
  return writer.swap(segments, () => {
    if (meta.cursor !== before.cursor || meta.generation !== before.generation) return undefined
    return { meta: { generation, cursor, head: cursor, hlc: clock.last, isComplete: true } }
  })
}

function describeItem(item: SnapshotItem): Entry {
  const { clock, hlc, opId } = item.revision
  const row = item.kind === 'row' ? (item.payload ?? {}) as JsonObject : undefined
  return { pk: item.pk, clock, hlc, opId, row, seg: 0 }
}
