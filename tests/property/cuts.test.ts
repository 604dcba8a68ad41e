/**
 * T3: for every cut of a log and every page size, a snapshot taken there while writes go on, and the tail after it,
 * equal a replay from 0; and a pull from every cursor with every limit is that slice of the log, without what another
 * change of the same page supersedes. Upholds P5 and P6.
 * Seen red: `>=` for `>` in the pull and in the snapshot's keys, and a snapshot that is not rewound.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { PendingOp, SyncChange } from '../../shared/protocol.ts'
import { compareRevisions } from '../../shared/revision.ts'
import { openTestDatabase } from '../helpers/database.ts'
import { changeOf, deleteOf, eventOf, pullAll, putOf, snapshotAll } from '../helpers/sync.ts'
import { runs, timeoutMs, withoutFlushes } from './scale.ts'
import { applyPage, applySnapshot, createDevice } from './sync-device.ts'
import { adapterOf } from '../helpers/engine.ts'

const log = fc.uniqueArray(fc.record({
  pk: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  tableName: fc.constantFrom('messages', 'threads'),
  isPut: fc.constantFrom(true, true, false),
  stamp: fc.record({ clock: fc.nat(4), opId: fc.uuid() }),
}), { minLength: 6, maxLength: 14, size: 'max', selector: one => one.stamp.opId }).map(entries => entries.map(({ pk, tableName, isPut, stamp }) =>
  isPut ? putOf(pk, { tableName, stamp }) : deleteOf(pk, { tableName, stamp })))

const pageSizes = [1, 2, 3, 4, 5, 6, 7]
let workspaces = 0

function makePlace() {
  const workspace = `workspace-${++workspaces}`
  return { workspace, as: eventOf('user-1', workspace), scope: { workspaceId: workspace } }
}

it('takes up a snapshot at every cut', { timeout: timeoutMs(120) }, async () => {
  const database = await openTestDatabase(withoutFlushes)
  const adapter = adapterOf(database)
  await fc.assert(fc.asyncProperty(log, async (ops) => {
    for (let cut = 0; cut <= ops.length; cut++) {
      for (const pageSize of pageSizes) {
        const place = makePlace()
        const push = (some: PendingOp[]) => adapter.push(place.as, { scope: place.scope, ops: some })
        await push(ops.slice(0, cut))
        let at = cut
        const { items, highWatermark } = await snapshotAll(adapter, { ...place, pageSize, between: () => push(ops.slice(at, at += 2)) })
        expect(highWatermark).toBe(cut)
        expect(items.map(item => `${item.tableName}/${item.pk}`)).toEqual([...replay(ops.slice(0, cut)).keys()].sort())
        await push(ops.slice(at))
        const device = createDevice('device-1', 'user-1')
        applySnapshot(device, items, highWatermark)
        applyPage(device, await pullAll(adapter, { ...place, cursor: cut, limit: pageSize, history: false }))
        expect(rowsOf(device)).toEqual(rowsOf({ rows: replay(ops) }))
      }
    }
  }), runs(20))
})

it('pulls exactly the slice after every cursor, as history and without what a page supersedes', { timeout: timeoutMs(60) }, async () => {
  const database = await openTestDatabase(withoutFlushes)
  const adapter = adapterOf(database)
  await fc.assert(fc.asyncProperty(log, async (ops) => {
    const place = makePlace()
    await adapter.push(place.as, { scope: place.scope, ops })
    const all = ops.map((op, index) => changeOf(op, index + 1))
    for (let cursor = 0; cursor <= ops.length; cursor++) {
      const whole = all.slice(cursor)
      const threads = whole.filter(change => change.tableName === 'threads')
      for (const limit of pageSizes) {
        for (const [slice, tables] of [[whole, undefined], [threads, ['threads']], [whole, ['threads', 'messages']]] as const) {
          const pull = async (history: boolean) =>
            (await pullAll(adapter, { ...place, cursor, limit, history, ...tables && { tables: [...tables] } })).changes
          expect(await pull(true)).toEqual(slice)
          expect(await pull(false)).toEqual(pagesOf(slice, limit).flatMap(withoutSuperseded))
        }
      }
    }
  }), runs(20))
})

function pagesOf(changes: readonly SyncChange[], limit: number): SyncChange[][] {
  return changes.length === 0 ? [] : [changes.slice(0, limit), ...pagesOf(changes.slice(limit), limit)]
}

function withoutSuperseded(page: readonly SyncChange[]): SyncChange[] {
  const isSameKey = (a: SyncChange, b: SyncChange) => a.tableName === b.tableName && a.pk === b.pk
  return page.filter(one => !page.some(other => isSameKey(one, other) && compareRevisions(other.stamp, one.stamp) > 0))
}

/** All of `ops` as a device that starts from 0 sees them. */
function replay(ops: readonly PendingOp[]) {
  const changes: SyncChange[] = ops.map((op, index) => changeOf(op, index + 1))
  const device = createDevice('device-1', 'user-1')
  applyPage(device, { changes, nextCursor: ops.length, hasMore: false, oldestRetainedVersion: 1, requiresSnapshot: false })
  return device.rows
}

function rowsOf({ rows }: Pick<ReturnType<typeof createDevice>, 'rows'>) {
  return [...rows].map(([key, { kind, payload, revision }]) => ({ key, kind, payload: kind === 'row' ? payload : undefined, revision })).sort((a, b) => a.key < b.key ? -1 : 1)
}
