/**
 * T10: no clock decides anything it should not. The server's may jump by years, a device's hlc may be garbage: an op is
 * refused only where its stamp can never be right, and who wins follows from the stamps alone. Upholds P3, P4 and P9.
 * Seen red: no upper bound of the clock, and a server clock that must not go back.
 */
import fc from 'fast-check'
import { expect, it, vi } from 'vitest'
import type { PendingOp } from '../../shared/protocol.ts'
import { openTestDatabase } from '../helpers/database.ts'
import { deleteOf, emptyEvent, eventOf, pullAll, putOf, snapshotAll, startClock } from '../helpers/sync.ts'
import { runs, timeoutMs, withoutFlushes } from './scale.ts'
import { isGreater, keyOf, revisionOf } from './sync-model.ts'
import { adapterOf } from '../helpers/engine.ts'

const year = 366 * 86_400
const maxClock = 2 ** 32 - 1

const stamp = fc.record({
  clock: fc.oneof(fc.nat(3), fc.constantFrom(maxClock - 1, maxClock, maxClock + 1, 2 ** 53 - 1, 2 ** 53, 1e21, -1, -0, 0.5, 1e-9)),
  hlc: fc.oneof(
    fc.constantFrom('', '0mk3n1abc:000:device01', 'zzzzzzzzz:zzz:zzzzzzzz', '-1', 'NaN', 'null', '__proto__', '2026-01-01', 'x'.repeat(512), 'x'.repeat(513)),
    fc.string({ unit: 'binary', maxLength: 20 }),
  ),
  opId: fc.uuid(),
})
const step = fc.record({
  pk: fc.constantFrom('a', 'b'),
  isPut: fc.boolean(),
  stamp,
  /** Where the server's clock is then, from a year before to a year after. */
  at: fc.integer({ min: -year, max: year }),
})
const steps = fc.uniqueArray(step, { minLength: 1, maxLength: 8, size: 'max', selector: one => one.stamp.opId })

function canBeRight({ stamp: { clock, hlc } }: PendingOp): boolean {
  return Number.isInteger(clock) && clock >= 0 && clock <= maxClock && hlc.length <= 512 && !hlc.includes('\0') && hlc.isWellFormed()
}

let workspaces = 0

it('lets no clock win, refuse or lose what the stamps do not', { timeout: timeoutMs(60) }, async () => {
  startClock()
  const start = Date.now()
  const database = await openTestDatabase(withoutFlushes)
  const adapter = adapterOf(database)
  await fc.assert(fc.asyncProperty(steps, async (course) => {
    const workspace = `workspace-${++workspaces}`
    const as = eventOf('user-1', workspace)
    const scope = { workspaceId: workspace }
    const winners = new Map<string, PendingOp>()
    let head = 0
    for (const { pk, isPut, stamp, at } of course) {
      vi.setSystemTime(start + at * 1000)
      const op = isPut ? putOf(pk, { stamp }) : deleteOf(pk, { stamp })
      const { results } = await adapter.push(as, { scope, ops: [op] })
      expect(results).toMatchObject([canBeRight(op) ? { success: true, serverVersion: ++head } : { success: false, errorCode: 'VALIDATION_ERROR' }])
      const known = winners.get(keyOf(op))
      if (canBeRight(op) && (!known || isGreater(revisionOf(op), revisionOf(known)))) winners.set(keyOf(op), op)
    }
    const { items } = await snapshotAll(adapter, { as, workspace })
    const expected = [...winners].sort(([a], [b]) => a < b ? -1 : 1).map(([, winner]) => winner)
    expect(items.map(item => item.revision.opId)).toEqual(expected.map(winner => winner.stamp.opId))

    // Whatever the clock says, a clean-up keeps the rows, and the next edit wins.
    await adapter.gcTombstones(emptyEvent, { scope, retentionSeconds: 3600 })
    const rows = expected.filter(winner => winner.operation === 'put')
    const kept = (await pullAll(adapter, { as, workspace })).changes.map(change => change.stamp.opId)
    for (const row of rows) expect(kept).toContain(row.stamp.opId)
    for (const row of rows.filter(one => one.stamp.clock < maxClock)) {
      const { results } = await adapter.push(as, { scope, ops: [putOf(row.pk, { stamp: { clock: row.stamp.clock + 1 } })] })
      expect(results).toMatchObject([{ success: true, applied: true }])
    }
  }), runs(500))
})
