/**
 * T2: the rows are a function of the set of ops: in any order, in any batches, with repeats, the same come out.
 * Upholds P2 and P4. Seen red: the tie-break by op id left out; hlcs compared as UTF-16; a loser taken for the winner
 * where a batch touches a key twice.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { PendingOp } from '../../shared/protocol.ts'
import { deleteOf, eventOf, pullAll, putOf, snapshotAll } from '../helpers/sync.ts'
import { runs, timeoutMs } from './scale.ts'
import { listStores } from './stores.ts'
import { isGreater, keyOf, revisionOf } from './sync-model.ts'

const op = fc.record({
  pk: fc.constantFrom('a', 'b', 'c'),
  isPut: fc.boolean(),
  stamp: fc.record({ clock: fc.nat(2), hlc: fc.constantFrom('', 'a', 'aa', '😀', '\uFFFD'), opId: fc.uuid(), deviceId: fc.constantFrom('device-1', 'device-2') }),
}).map(({ pk, isPut, stamp }) => isPut ? putOf(pk, { stamp }) : deleteOf(pk, { stamp }))

const ops = fc.uniqueArray(op, { minLength: 2, maxLength: 14, size: 'max', selector: one => one.stamp.opId })

/** An order of the ops with some of them repeated, cut into batches. */
const course = ops.chain(set => fc.record({
  set: fc.constant(set),
  courses: fc.array(fc.record({
    order: fc.tuple(fc.shuffledSubarray(set, { minLength: set.length }), fc.subarray(set)).map(([order, repeats]) => [...order, ...repeats]),
    cuts: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 6 }),
  }), { minLength: 2, maxLength: 4 }),
}))

let workspaces = 0

it.each(listStores())('on $name comes to the same rows in any order and any batches', { timeout: timeoutMs(90) }, async ({ make, share }) => {
  const { adapter } = await (await make()).open()
  await fc.assert(fc.asyncProperty(course, async ({ set, courses }) => {
    const winners = new Map<string, PendingOp>()
    for (const one of set) {
      const known = winners.get(keyOf(one))
      if (!known || isGreater(revisionOf(one), revisionOf(known))) winners.set(keyOf(one), one)
    }
    for (const { order, cuts } of courses) {
      const workspace = `workspace-${++workspaces}`
      const as = eventOf('user-1', workspace)
      for (let from = 0, cut = 0; from < order.length; cut++) {
        const batch = order.slice(from, from += cuts[cut % cuts.length]!)
        const { results } = await adapter.push(as, { scope: { workspaceId: workspace }, ops: batch })
        expect(results.every(result => result.success)).toBe(true)
      }
      const { items } = await snapshotAll(adapter, { as, workspace })
      expect(items.map(item => [keyOf(item), item.kind, item.revision])).toEqual(
        [...winners].sort(([a], [b]) => a < b ? -1 : 1).map(([key, winner]) => [key, winner.operation === 'put' ? 'row' : 'tombstone', revisionOf(winner)]))
      const { changes } = await pullAll(adapter, { as, workspace, limit: 5 })
      expect(changes.map(change => change.serverVersion)).toEqual(set.map((_, index) => index + 1))
      expect(new Set(changes.map(change => change.stamp.opId))).toEqual(new Set(set.map(one => one.stamp.opId)))
    }
  }), runs(200 * share))
})
