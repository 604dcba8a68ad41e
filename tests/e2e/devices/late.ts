/**
 * A device of late 2026: begins with a snapshot, pulls strictly after it, resolves by clock, hlc and opId, and where it
 * is told to takes a snapshot again, replaces all its rows and puts on top what it has not pushed yet.
 */
import type { SnapshotItem, SnapshotResponse, SyncOperation } from '../../../shared/protocol.ts'
import { createDeviceBase, cursorAgeMs, type DeviceOptions, type TableName } from './device.ts'
import { entryOf, keyOf, merge, type Rows, rowsOfSnapshot } from './rows.ts'

const pageSize = 300
const pollLimit = 100

export type LateDevice = ReturnType<typeof createLateDevice>

export function createLateDevice(options: DeviceOptions) {
  const base = createDeviceBase(options)
  const { now, outbox, network, scope } = base
  let rows: Rows = new Map()
  let cursor = 0
  let hasBegun = false
  let polledAt = 0
  const counts = { snapshots: 0, told: 0, rescans: 0 }

  function write(tableName: TableName, pk: string, operation: SyncOperation, knownClock = 0) {
    const key = keyOf({ tableName, pk })
    merge(rows, key, entryOf(base.write(tableName, pk, operation, Math.max(knownClock, rows.get(key)?.revision.clock ?? 0))))
  }

  /** All or nothing; false where it has to be tried again later. */
  async function takeSnapshot(): Promise<boolean> {
    const items: SnapshotItem[] = []
    let highWatermark: number | undefined
    for (let pageToken: string | undefined; ;) {
      const answer = await network.post<SnapshotResponse>('/api/sync/snapshot', { scope, pageSize, pageToken })
      if (answer?.status !== 200) {
        if (answer && ![410, 429, 503].includes(answer.status)) throw new Error(`snapshot: ${answer.status} ${JSON.stringify(answer.body)}`)
        return false
      }
      const page = answer.body
      if ((highWatermark ??= page.highWatermark) !== page.highWatermark) throw new Error('The snapshot has two watermarks')
      items.push(...page.items)
      if (page.nextPageToken === null) break
      pageToken = page.nextPageToken
    }
    rows = rowsOfSnapshot(items)
    for (const op of outbox.pending) merge(rows, keyOf(op), entryOf(op))
    cursor = highWatermark
    hasBegun = true
    counts.snapshots++
    await base.reportCursor(cursor)
    return true
  }

  /** True where it came to the end. A second order to take a snapshot right after one is the server's error. */
  async function poll(isFresh = false): Promise<boolean> {
    for (let hasMore = true; hasMore;) {
      const page = await base.readPage(cursor, pollLimit)
      if (!page) return false
      if (page.requiresSnapshot) {
        if (isFresh) throw new Error('A snapshot did not help')
        counts.told++
        return await takeSnapshot() && await poll(true)
      }
      for (const change of page.changes) merge(rows, keyOf(change), entryOf(change))
      cursor = page.nextCursor
      hasMore = page.hasMore
      if (page.changes.length > 0) await base.reportCursor(cursor)
    }
    return true
  }

  /** A cursor of another day: one change tells whether a snapshot is needed, else all is read again from 0. */
  async function startOver(): Promise<boolean> {
    const probe = await base.readPage(cursor, 1)
    if (!probe) return false
    if (!probe.requiresSnapshot) {
      counts.rescans++
      for (let at = 0, hasMore = true; hasMore;) {
        const page = await base.readPage(at, pageSize)
        if (!page) return false
        for (const change of page.changes) merge(rows, keyOf(change), entryOf(change))
        ;({ nextCursor: at, hasMore } = page)
      }
    }
    return poll()
  }

  return {
    ...base, counts, write,
    get rows() {
      return rows
    },
    get cursor() {
      return cursor
    },

    async sync() {
      await base.cleanUp()
      if (!hasBegun && !await takeSnapshot()) return
      await base.push()
      if (await (polledAt > 0 && now() - polledAt > cursorAgeMs ? startOver() : poll())) polledAt = now()
    },
  }
}
