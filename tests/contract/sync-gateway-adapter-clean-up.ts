/**
 * The clean-up of a `SyncGatewayAdapter`: what may go, what has to stay, and who is told.
 * Seen red: the age of a change or a tombstone not looked at, a slow device ignored, a silent one waited for, the
 * tombstone's younger loser ignored, tombstones dropped before the log is clean, the horizon not raised, a snapshot
 * that does not look at it, another workspace's tombstones taken for this one's.
 */
import { describe, expect, it } from 'vitest'
import type { MakeAdapter } from './sync-gateway-adapter.ts'
import { deleteOf, emptyEvent, event, eventOf, pullAll, putOf, scope, snapshotAll, startClock } from '../helpers/sync.ts'

const hour = 3_600
const retention = { scope, retentionSeconds: hour }

export function describeCleanUp(makeAdapter: MakeAdapter): void {
  describe('clean-up', () => {
    it('drops what is superseded, and a bootstrap from 0 is still complete', async () => {
      const clock = startClock()
      const adapter = await makeAdapter()
      const keys = Array.from({ length: 20 }, (_, index) => `m${index}`)
      for (let revision = 1; revision <= 3; revision++) {
        await adapter.push(event, { scope, ops: keys.map(pk => putOf(pk, { stamp: { clock: revision } })) })
      }
      await adapter.push(event, { scope, ops: [putOf('m0', { stamp: { clock: 1 } })] })
      const before = await snapshotAll(adapter)
      clock.advance(hour + 1)
      expect(await adapter.gcChangeLog(event, retention)).toMatchObject({ droppedChanges: 41, droppedTombstones: 0, head: 61, done: true })
      expect(await adapter.gcChangeLog(event, retention)).toMatchObject({ droppedChanges: 0 })
      const { changes, requiresSnapshot, nextCursor } = await pullAll(adapter, { limit: 7 })
      expect(changes.map(change => [change.pk, change.stamp.clock])).toEqual(keys.map(pk => [pk, 3]))
      expect({ requiresSnapshot, nextCursor }).toEqual({ requiresSnapshot: false, nextCursor: 61 })
      expect((await snapshotAll(adapter)).items).toEqual(before.items)
    })

    it('drops nothing young, and what is superseded late goes later', async () => {
      const clock = startClock()
      const adapter = await makeAdapter()
      await adapter.push(event, { scope, ops: [putOf('a'), putOf('b')] })
      clock.advance(hour + 1)
      await adapter.push(event, { scope, ops: [putOf('a', { stamp: { clock: 2 } })] })
      expect(await adapter.gcChangeLog(event, retention)).toMatchObject({ droppedChanges: 0 })
      clock.advance(hour + 1)
      expect(await adapter.gcChangeLog(event, retention)).toMatchObject({ droppedChanges: 1 })
      expect((await pullAll(adapter)).changes.map(change => change.serverVersion)).toEqual([2, 3])
    })

    it('waits for the slowest device, unless that was silent for the whole retention', async () => {
      const clock = startClock()
      const adapter = await makeAdapter()
      await adapter.push(event, { scope, ops: [putOf('a'), putOf('a', { stamp: { clock: 2 } }), putOf('a', { stamp: { clock: 3 } }), deleteOf('b')] })
      clock.advance(hour)
      await adapter.updateCursor(event, { scope, deviceId: 'device-1', version: 4 })
      await adapter.updateCursor(eventOf('user-2'), { scope, deviceId: 'device-2', version: 2 })
      clock.advance(hour)
      await adapter.updateCursor(event, { scope, deviceId: 'device-1', version: 4 })
      expect(await adapter.gcTombstones(event, retention)).toMatchObject({ droppedChanges: 1, droppedTombstones: 0 })
      clock.advance(1)
      expect(await adapter.gcTombstones(event, retention)).toMatchObject({ droppedChanges: 1, droppedTombstones: 1 })
    })

    it('tells a device behind a dropped tombstone to take a snapshot, and no other', async () => {
      const clock = startClock()
      const adapter = await makeAdapter()
      await adapter.push(event, { scope, ops: [putOf('a'), putOf('b'), deleteOf('a', { stamp: { clock: 2 } }), putOf('c')] })
      clock.advance(hour + 1)
      expect(await adapter.gcTombstones(event, retention)).toMatchObject({ droppedTombstones: 1 })
      const told = await Promise.all([0, 1, 2, 3, 4].map(async cursor => (await adapter.pull(event, { scope, cursor })).requiresSnapshot))
      expect(told).toEqual([true, true, true, false, false])
      const { changes, oldestRetainedVersion } = await pullAll(adapter)
      expect({ keys: changes.map(change => change.pk), oldestRetainedVersion }).toEqual({ keys: ['b', 'c'], oldestRetainedVersion: 4 })
      expect((await snapshotAll(adapter)).items.map(item => item.pk)).toEqual(['b', 'c'])
    })

    it('leaves no put behind where its tombstone goes first', async () => {
      const clock = startClock()
      const adapter = await makeAdapter()
      await adapter.push(event, { scope, ops: [putOf('a'), putOf('a', { stamp: { clock: 2 } }), deleteOf('a', { stamp: { clock: 9 } })] })
      clock.advance(hour)
      await adapter.push(event, { scope, ops: [putOf('a', { stamp: { clock: 3 } })] })
      clock.advance(1)
      // The late loser is young: its tombstone has to stay with it.
      await adapter.gcTombstones(event, retention)
      expect((await snapshotAll(adapter)).items).toMatchObject([{ kind: 'tombstone', pk: 'a' }])
      expect((await pullAll(adapter)).changes.map(change => [change.op, change.serverVersion])).toEqual([['delete', 3], ['put', 4]])
      clock.advance(hour)
      expect(await adapter.gcTombstones(event, retention)).toMatchObject({ droppedTombstones: 1 })
      expect((await pullAll(adapter)).changes).toEqual([])
      expect((await snapshotAll(adapter)).items).toEqual([])
    })

    it('leaves no put behind where a slow device keeps the history of one', async () => {
      const clock = startClock()
      const adapter = await makeAdapter()
      await adapter.push(event, { scope, ops: [putOf('a'), deleteOf('a', { stamp: { clock: 9 } }), putOf('b'), putOf('a', { stamp: { clock: 3 } })] })
      clock.advance(hour + 1)
      await adapter.updateCursor(event, { scope, deviceId: 'device-1', version: 3 })
      expect(await adapter.gcTombstones(event, retention)).toMatchObject({ droppedChanges: 1, droppedTombstones: 0, cleanedVersion: 3 })
      expect((await pullAll(adapter)).changes.map(change => [change.op, change.pk])).toEqual([['delete', 'a'], ['put', 'b'], ['put', 'a']])
      await adapter.updateCursor(event, { scope, deviceId: 'device-1', version: 4 })
      expect(await adapter.gcTombstones(event, retention)).toMatchObject({ droppedChanges: 1, droppedTombstones: 1 })
      expect((await pullAll(adapter)).changes.map(change => change.pk)).toEqual(['b'])
    })

    it('keeps a tombstone for the retention that is asked for, whatever an earlier run has cleaned', async () => {
      const clock = startClock()
      const adapter = await makeAdapter()
      await adapter.push(event, { scope, ops: [putOf('a'), deleteOf('a', { stamp: { clock: 2 } })] })
      clock.advance(2 * hour)
      expect(await adapter.gcChangeLog(event, retention)).toMatchObject({ droppedChanges: 1 })
      const day = { scope, retentionSeconds: 24 * hour }
      expect(await adapter.gcTombstones(event, day)).toMatchObject({ droppedTombstones: 0 })
      clock.advance(23 * hour)
      expect(await adapter.gcTombstones(event, day)).toMatchObject({ droppedTombstones: 1 })
    })

    it('keeps a tombstone that a put has won over as history only', async () => {
      const clock = startClock()
      const adapter = await makeAdapter()
      await adapter.push(event, { scope, ops: [putOf('a'), deleteOf('a', { stamp: { clock: 2 } }), putOf('a', { stamp: { clock: 3 } })] })
      clock.advance(hour + 1)
      expect(await adapter.gcTombstones(event, retention)).toMatchObject({ droppedChanges: 2, droppedTombstones: 0 })
      expect(await pullAll(adapter)).toMatchObject({ changes: [{ pk: 'a', op: 'put' }], requiresSnapshot: false })
    })

    it('holds back a stale put of a row it no longer knows, until its device had to pull', async () => {
      const clock = startClock()
      const adapter = await makeAdapter()
      await adapter.push(event, { scope, ops: [putOf('a'), putOf('b')] })
      await adapter.updateCursor(event, { scope, deviceId: 'device-1', version: 2 })
      await adapter.push(eventOf('user-2'), { scope, ops: [deleteOf('a', { stamp: { clock: 2, deviceId: 'device-2' } })] })
      clock.advance(hour + 1)
      await adapter.gcTombstones(event, retention)

      const stale = putOf('a', { stamp: { clock: 2 } })
      const { results } = await adapter.push(event, { scope, ops: [stale, putOf('b', { stamp: { clock: 2 } }), deleteOf('c')] })
      expect(results).toMatchObject([{ success: false, errorCode: 'RATE_LIMITED', error: expect.stringMatching(/^Retry after \d+s/) }, { success: true, serverVersion: 4 }, { success: true, serverVersion: 5 }])
      await adapter.pull(eventOf('user-2'), { scope, cursor: 0 })
      expect((await adapter.push(event, { scope, ops: [stale] })).results).toMatchObject([{ success: false, errorCode: 'RATE_LIMITED' }])
      expect(await adapter.pull(event, { scope, cursor: 2 })).toMatchObject({ requiresSnapshot: true })
      expect((await adapter.push(event, { scope, ops: [stale] })).results).toMatchObject([{ success: true, serverVersion: 6 }])
    })

    it('holds nothing back from a device that has reported a cursor past the horizon, or none', async () => {
      const clock = startClock()
      const adapter = await makeAdapter()
      await adapter.push(event, { scope, ops: [deleteOf('a'), putOf('b')] })
      await adapter.updateCursor(event, { scope, deviceId: 'device-1', version: 0 })
      clock.advance(hour + 1)
      await adapter.gcTombstones(event, retention)
      const put = (deviceId: string) => adapter.push(event, { scope, ops: [putOf(`of-${deviceId}`, { stamp: { deviceId } })] })
      expect((await put('device-1')).results).toMatchObject([{ success: false }])
      expect((await put('device-2')).results).toMatchObject([{ success: true }])
      await adapter.updateCursor(event, { scope, deviceId: 'device-1', version: 1 })
      expect((await put('device-1')).results).toMatchObject([{ success: true }])
    })

    it('ends a snapshot that it took something from', async () => {
      const clock = startClock()
      const adapter = await makeAdapter()
      await adapter.push(event, { scope, ops: [putOf('a'), putOf('b'), putOf('c')] })
      clock.advance(2 * hour)
      const { nextPageToken } = await adapter.snapshot(event, { scope, pageSize: 1 })
      const page = (pageSize: number) => adapter.snapshot(event, { scope, pageSize, pageToken: nextPageToken! })
      // A clock that was wrong for a while makes what was just written old.
      clock.advance(-2 * hour)
      await adapter.push(event, { scope, ops: [putOf('b', { stamp: { clock: 2 } }), putOf('b', { stamp: { clock: 3 } }), putOf('d')] })
      clock.advance(2 * hour)
      expect((await page(5)).items).toMatchObject([{ pk: 'b', revision: { clock: 1 } }, { pk: 'c' }])
      expect(await adapter.gcChangeLog(event, retention)).toMatchObject({ droppedChanges: 2 })
      await expect(page(5)).rejects.toMatchObject({ statusCode: 410 })

      const second = await adapter.snapshot(event, { scope, pageSize: 1 })
      clock.advance(-2 * hour)
      await adapter.push(event, { scope, ops: [deleteOf('c', { stamp: { clock: 2 } })] })
      clock.advance(2 * hour)
      expect(await adapter.gcTombstones(event, retention)).toMatchObject({ droppedTombstones: 1 })
      await expect(adapter.snapshot(event, { scope, pageSize: 5, pageToken: second.nextPageToken! })).rejects.toMatchObject({ statusCode: 410 })
    })

    it('takes a retention from an hour to a year, needs no session, and refuses a foreign one', async () => {
      const adapter = await makeAdapter()
      for (const method of [adapter.gcChangeLog, adapter.gcTombstones]) {
        for (const retentionSeconds of [0, hour - 1, 31_536_001, 3600.5, -1, Number.NaN]) {
          await expect(method(event, { scope, retentionSeconds })).rejects.toMatchObject({ statusCode: 400, message: expect.stringContaining('retentionSeconds') })
        }
        expect(await method(emptyEvent, { scope, retentionSeconds: 31_536_000 })).toEqual({ droppedChanges: 0, droppedTombstones: 0, cleanedVersion: 0, head: 0, done: true })
        await expect(method(eventOf('user-1', 'workspace-2'), retention)).rejects.toMatchObject({ statusCode: 403 })
      }
    })

    it('leaves other workspaces alone', async () => {
      const clock = startClock()
      const adapter = await makeAdapter()
      const other = eventOf('user-1', 'workspace-2')
      const elsewhere = { workspaceId: 'workspace-2' }
      // What is a tombstone in the one is a row in the other, at the same version.
      await adapter.push(event, { scope, ops: [putOf('a'), putOf('a', { stamp: { clock: 2 } }), deleteOf('b'), putOf('c')] })
      await adapter.push(other, { scope: elsewhere, ops: [putOf('a'), putOf('a', { stamp: { clock: 2 } }), putOf('b'), deleteOf('c')] })
      clock.advance(hour + 1)
      expect(await adapter.gcTombstones(emptyEvent, retention)).toMatchObject({ droppedChanges: 1, droppedTombstones: 1 })
      expect(await pullAll(adapter, { as: other, workspace: 'workspace-2' })).toMatchObject({ requiresSnapshot: false, changes: [{}, {}, {}, {}] })
      expect((await snapshotAll(adapter)).items.map(item => item.pk)).toEqual(['a', 'c'])
      expect((await snapshotAll(adapter, { as: other, workspace: 'workspace-2' })).items.map(item => item.pk)).toEqual(['a', 'b', 'c'])
    })
  })
}
