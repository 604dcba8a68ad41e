/**
 * The reads of a `SyncGatewayAdapter`: what a pull, a snapshot and a cursor promise.
 * Seen red: `hasMore` from the page's size alone, a cursor that stays at the last change, no look beyond the head, other
 * users' rows not left out, filters in the order given, each check of a token and of a cursor left out in turn.
 */
import { describe, expect, it } from 'vitest'
import type { MakeAdapter } from './sync-gateway-adapter.ts'
import { deleteOf, emptyEvent, event, eventOf, messageOf, payloads, pullAll, putOf, scope, snapshotAll, startClock, tableNames } from '../helpers/sync.ts'

const elsewhere = { workspaceId: 'workspace-2' }

export function describeReads(makeAdapter: MakeAdapter): void {
  describePull(makeAdapter)
  describeSnapshot(makeAdapter)
  describeCursors(makeAdapter)
}

function describePull(makeAdapter: MakeAdapter): void {
  describe('pull', () => {
    it('answers an empty workspace', async () => {
      const adapter = await makeAdapter()
      expect(await adapter.pull(event, { scope, cursor: 0 })).toEqual({ changes: [], nextCursor: 0, hasMore: false, oldestRetainedVersion: 1, requiresSnapshot: false })
    })

    it('pages from any cursor without a gap, and says exactly whether there is more', async () => {
      const adapter = await makeAdapter()
      await adapter.push(event, { scope, ops: Array.from({ length: 6 }, (_, index) => putOf(`m${index}`)) })
      for (let cursor = 0; cursor <= 6; cursor++) {
        for (let limit = 1; limit <= 7; limit++) {
          const { changes, nextCursor, hasMore, requiresSnapshot } = await adapter.pull(event, { scope, cursor, limit })
          expect(changes.map(change => change.serverVersion)).toEqual([1, 2, 3, 4, 5, 6].slice(cursor, cursor + limit))
          expect({ nextCursor, hasMore, requiresSnapshot }).toEqual({ nextCursor: Math.min(cursor + limit, 6), hasMore: cursor + limit < 6, requiresSnapshot: false })
        }
      }
    })

    it('takes 100 without a limit, at most 1,000, and refuses any other', async () => {
      const adapter = await makeAdapter()
      await adapter.push(event, { scope, ops: Array.from({ length: 101 }, (_, index) => putOf(`m${index}`)) })
      expect(await adapter.pull(event, { scope, cursor: 0 })).toMatchObject({ nextCursor: 100, hasMore: true })
      expect(await adapter.pull(event, { scope, cursor: 0, limit: 1000 })).toMatchObject({ nextCursor: 101, hasMore: false })
      for (const wrong of [{ limit: 0 }, { limit: 1001 }, { limit: 1.5 }, { cursor: -1 }, { cursor: 0.5 }, { tables: ['x'.repeat(129)] }, { tables: Array.from({ length: 51 }, () => 'kv') }]) {
        await expect(adapter.pull(event, { scope, cursor: 0, ...wrong })).rejects.toMatchObject({ statusCode: 400, message: expect.stringContaining(Object.keys(wrong)[0]!) })
      }
    })

    it('filters tables, and moves the cursor over what the filter left out', async () => {
      const adapter = await makeAdapter()
      await adapter.push(event, { scope, ops: Array.from({ length: 28 }, (_, index) => putOf(`x${index}`, { tableName: tableNames[index % 7] })) })
      const all = (await pullAll(adapter)).changes
      const filters = [['kv'], ['kv', 'messages'], ['messages', 'kv', 'kv'], ['nothing'], [], tableNames, [...tableNames, 'nothing']]
      for (const tables of filters) {
        for (const limit of [1, 3, 1000]) {
          const { changes, nextCursor, hasMore } = await pullAll(adapter, { tables, limit })
          expect(changes).toEqual(all.filter(change => tables.includes(change.tableName)))
          expect({ nextCursor, hasMore }).toEqual({ nextCursor: 28, hasMore: false })
        }
      }
      expect(await adapter.pull(event, { scope, cursor: 0, limit: 1, tables: ['kv', 'threads'] })).toMatchObject({ nextCursor: 1, hasMore: true })
      expect(await adapter.pull(event, { scope, cursor: 24, limit: 1, tables: ['threads'] })).toMatchObject({ changes: [], nextCursor: 28, hasMore: false })
    })

    it('brings of each key the greatest change of the page, and all where it is asked for the history', async () => {
      const adapter = await makeAdapter()
      const note = (clock: number, tableName = 'messages') => putOf('a', { tableName, stamp: { clock } })
      await adapter.push(event, {
        scope, ops: [note(2), note(1), putOf('b'), note(3), deleteOf('b', { stamp: { clock: 2 } }), note(1, 'threads'), note(2, 'threads')],
      })
      const read = async (more: object) => {
        const { changes, nextCursor, hasMore } = await adapter.pull(event, { scope, cursor: 0, limit: 10, ...more })
        return [changes.map(change => change.serverVersion), nextCursor, hasMore]
      }
      expect(await read({})).toEqual([[4, 5, 7], 7, false])
      expect(await read({ history: true })).toEqual([[1, 2, 3, 4, 5, 6, 7], 7, false])
      // Only the page counts, and its end and `hasMore` are as they were.
      expect(await read({ limit: 3 })).toEqual([[1, 3], 3, true])
      expect(await read({ cursor: 1, limit: 2 })).toEqual([[2, 3], 3, true])
      expect(await read({ tables: ['threads'] })).toEqual([[7], 7, false])
      expect(await read({ tables: ['threads'], limit: 1 })).toEqual([[6], 6, true])
      expect(await read({ tables: ['kv', 'messages'], limit: 4 })).toEqual([[3, 4], 4, true])
      expect(await read({ tables: tableNames, limit: 4 })).toEqual([[3, 4], 4, true])
      await expect(read({ history: 'yes' })).rejects.toMatchObject({ statusCode: 400, message: expect.stringContaining('history') })
    })

    // Seen red: the op id left out of the page's order, and turned round.
    it('brings the change of the greater op id where clock and hlc are equal, whichever came first', async () => {
      const adapter = await makeAdapter()
      const [low, high] = [...'1f'].map(digit => `${digit.repeat(8)}-0000-4000-8000-000000000000`)
      const puts = (pk: string, ids: (string | undefined)[]) => ids.map((id, index) =>
        putOf(pk, { stamp: { clock: 3, hlc: 'same', opId: `${id!.slice(0, -1)}${pk}` }, payload: messageOf(pk, { index }) }))
      await adapter.push(event, { scope, ops: [...puts('a', [low, high]), ...puts('b', [high, low])] })
      const { changes } = await adapter.pull(event, { scope, cursor: 0, limit: 10 })
      expect(changes.map(({ serverVersion }) => serverVersion)).toEqual([2, 3])
    })

    it('tells a cursor beyond the head to take a snapshot', async () => {
      const adapter = await makeAdapter()
      await adapter.push(event, { scope, ops: [putOf('a')] })
      expect(await adapter.pull(event, { scope, cursor: 2 })).toMatchObject({ changes: [], nextCursor: 2, hasMore: false, requiresSnapshot: true })
      expect(await adapter.pull(event, { scope, cursor: 1 })).toMatchObject({ requiresSnapshot: false })
    })

    it('sees one workspace only', async () => {
      const adapter = await makeAdapter()
      const other = eventOf('user-1', 'workspace-2')
      await adapter.push(event, { scope, ops: [putOf('a'), putOf('b')] })
      await adapter.push(other, { scope: elsewhere, ops: [putOf('c')] })
      expect(await adapter.pull(other, { scope: elsewhere, cursor: 0 })).toMatchObject({ changes: [{ pk: 'c', serverVersion: 1 }], nextCursor: 1 })
      expect((await snapshotAll(adapter, { as: other, workspace: 'workspace-2' })).items).toMatchObject([{ pk: 'c' }])
      for (const read of [adapter.pull(event, { scope: elsewhere, cursor: 0 }), adapter.snapshot(event, { scope: elsewhere, pageSize: 1 })]) {
        await expect(read).rejects.toMatchObject({ statusCode: 403 })
      }
      expect(await adapter.listWorkspaceIds()).toEqual(['workspace-1', 'workspace-2'])
    })
  })
}

function describeSnapshot(makeAdapter: MakeAdapter): void {
  describe('snapshot', () => {
    it('holds every row and tombstone once, in the order of table and key by code points', async () => {
      const adapter = await makeAdapter()
      const ops = [putOf('b'), putOf('😀'), putOf('\uFFFD'), putOf('a', { tableName: 'threads' }), deleteOf('a'), putOf('B'), putOf('kv:x', { tableName: 'kv' })]
      await adapter.push(event, { scope, ops })
      for (const pageSize of [1, 2, 3, 7, 1000]) {
        const { items, highWatermark, workspaceId } = await snapshotAll(adapter, { pageSize })
        expect(items.map(item => [item.tableName, item.pk, item.kind])).toEqual([
          ['kv', 'kv:x', 'row'], ['messages', 'B', 'row'], ['messages', 'a', 'tombstone'], ['messages', 'b', 'row'],
          ['messages', '\uFFFD', 'row'], ['messages', '😀', 'row'], ['threads', 'a', 'row'],
        ])
        expect({ highWatermark, workspaceId }).toEqual({ highWatermark: 7, workspaceId: 'workspace-1' })
        expect(items[0]).toMatchObject({ payload: payloads.kv('kv:x'), revision: { clock: 1, hlc: ops[6]!.stamp.hlc, opId: ops[6]!.stamp.opId } })
        expect(items[2]).toMatchObject({ revision: { opId: ops[4]!.stamp.opId }, serverDeletedAt: expect.any(Number) })
      }
      const filtered = await snapshotAll(adapter, { pageSize: 2, tables: ['threads', 'messages', 'threads', 'nothing'] })
      expect(filtered.items.map(item => item.pk)).toEqual(['B', 'a', 'b', '\uFFFD', '😀', 'a'])
    })

    it('is as of its first page while writes go on', async () => {
      const adapter = await makeAdapter()
      const keys = ['a', 'b', 'c', 'd', 'e', 'f']
      await adapter.push(event, { scope, ops: keys.map(pk => putOf(pk)) })
      let clock = 1
      const { items, highWatermark } = await snapshotAll(adapter, {
        pageSize: 1,
        between: () => adapter.push(event, { scope, ops: [putOf('f', { stamp: { clock: ++clock } }), deleteOf('e', { stamp: { clock } }), putOf(`new${clock}`), putOf('d', { stamp: { clock: 0 } })] }),
      })
      expect(highWatermark).toBe(6)
      expect(items.map(item => [item.pk, item.kind, item.revision.clock])).toEqual(keys.map(pk => [pk, 'row', 1]))
    })

    it('refuses a forged, a foreign and an expired token', async () => {
      const clock = startClock()
      const adapter = await makeAdapter()
      await adapter.push(event, { scope, ops: [putOf('a'), putOf('b'), putOf('c')] })
      const { nextPageToken } = await adapter.snapshot(event, { scope, pageSize: 1 })
      const pageToken = nextPageToken!
      const next = (as: typeof event, more: object = {}) => adapter.snapshot(as, { scope, pageSize: 1, pageToken, ...more })
      const swapped = pageToken.replace(/^./, first => first === 'A' ? 'B' : 'A')
      for (const forged of ['x', '.', 'a.b.c', swapped, pageToken.slice(0, -1), `${pageToken}A`]) {
        await expect(next(event, { pageToken: forged })).rejects.toMatchObject({ statusCode: 400 })
      }
      await expect(next(event, { tables: ['kv'] })).rejects.toMatchObject({ statusCode: 400 })
      await expect(next(eventOf('user-2'))).rejects.toMatchObject({ statusCode: 403 })
      await expect(next(eventOf('user-1', 'workspace-2'), { scope: elsewhere })).rejects.toMatchObject({ statusCode: 403 })
      await expect(next(event, { pageSize: 0 })).rejects.toMatchObject({ statusCode: 400, message: expect.stringContaining('pageSize') })
      expect((await next(event)).items).toMatchObject([{ pk: 'b' }])
      clock.advance(3_601)
      await expect(next(event)).rejects.toMatchObject({ statusCode: 410 })
    })
  })
}

function describeCursors(makeAdapter: MakeAdapter): void {
  describe('cursors', () => {
    it('move forward only, never beyond the head', async () => {
      const adapter = await makeAdapter()
      const report = (version: number, deviceId = 'device-1', as = event) => adapter.updateCursor(as, { scope, deviceId, version })
      await adapter.push(event, { scope, ops: [putOf('a'), putOf('b'), putOf('c')] })
      await report(2)
      await report(2)
      await report(2, '  device-1 ')
      await report(0, 'device-2')
      await expect(report(1)).rejects.toMatchObject({ statusCode: 409 })
      await expect(report(4)).rejects.toMatchObject({ statusCode: 400 })
      await expect(report(-1)).rejects.toMatchObject({ statusCode: 400 })
      await expect(report(1, ' device-1 ')).rejects.toMatchObject({ statusCode: 409 })
      await report(3)
    })

    it('belong to the user of the device', async () => {
      const adapter = await makeAdapter()
      await adapter.push(event, { scope, ops: [putOf('a')] })
      await adapter.updateCursor(event, { scope, deviceId: 'device-1', version: 0 })
      const report = (as: typeof event, deviceId = 'device-1') => adapter.updateCursor(as, { scope, deviceId, version: 1 })
      // Another user's device of the same name is another device.
      await report(eventOf('user-2'))
      await report(event)
      await expect(adapter.updateCursor(event, { scope, deviceId: 'device-1', version: 0 })).rejects.toMatchObject({ statusCode: 409 })
      await expect(report(emptyEvent)).rejects.toMatchObject({ statusCode: 401 })
      await expect(report(eventOf('user-1', 'workspace-2'))).rejects.toMatchObject({ statusCode: 403 })
      for (const deviceId of ['', '   ', 'x'.repeat(257), 'a\0', '\uD83D']) {
        await expect(report(event, deviceId)).rejects.toMatchObject({ statusCode: 400, message: expect.stringContaining('deviceId') })
      }
      await report(event, 'x'.repeat(256))
    })
  })
}
