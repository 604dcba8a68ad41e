/**
 * T1 and T16: whatever devices do in whatever order, across restarts, clean-ups and a turning clock, every answer is
 * the model's, and in the end every device, a bootstrap from 0 and a snapshot hold the same rows. Upholds P2 to P8.
 * Seen red: the comparison of revisions turned round, a device's cursor left out of the clean-up's bound, tombstones
 * dropped beside younger changes of their key, a put of a device behind the horizon let through.
 */
import fc from 'fast-check'
import { expect, it, vi } from 'vitest'
import { startClock } from '../helpers/sync.ts'
import { runs, timeoutMs } from './scale.ts'
import { listStores } from './stores.ts'
import { cleanUp, type Command, pull, pullPage, push, pushAgain, pushOutbox, report, reportCursor, restart, snapshotPage, takeSnapshot, turnClock, write } from './sync-commands.ts'
import { applyPage, createDevice, liveRows, oldTombstones } from './sync-device.ts'
import { snapshotModel } from './sync-model.ts'
import { createWorld, type Place, type World } from './sync-world.ts'

const hour = 3_600
/** Most of it meets in one workspace and on a few keys: what does not meet tells nothing. */
const workspace = fc.constantFrom(0, 0, 0, 0, 0, 1, 2)
const place = fc.record({ workspace, device: fc.nat(3) })
const local = fc.record({
  tableName: fc.constantFrom('messages' as const, 'messages' as const, 'messages' as const, 'threads' as const, 'notifications' as const),
  pk: fc.constantFrom('a', 'a', 'b', '😀', '\uFFFD'),
  operation: fc.constantFrom('put' as const, 'put' as const, 'delete' as const),
  hlc: fc.constantFrom('', 'a', 'b', '😀', '\uFFFD'),
  clock: fc.nat(2),
  opId: fc.uuid(),
})

const commands: fc.Arbitrary<Command>[] = [
  fc.tuple(place, local).map(args => write(...args)),
  fc.tuple(place, local).map(args => write(...args)),
  fc.tuple(place, local).map(args => write(...args)),
  fc.tuple(place, fc.record({ count: fc.integer({ min: 1, max: 5 }), isReversed: fc.boolean(), isLost: fc.boolean() })).map(args => push(...args)),
  fc.tuple(place, fc.record({ count: fc.constant(9), isReversed: fc.constant(false), isLost: fc.constant(false) })).map(args => push(...args)),
  fc.tuple(place, fc.record({ picks: fc.array(fc.nat(20), { minLength: 1, maxLength: 3 }), isForged: fc.boolean() })).map(args => pushAgain(...args)),
  fc.tuple(place, fc.record({ limit: fc.integer({ min: 1, max: 5 }) })).map(args => pull(...args)),
  fc.tuple(place, fc.record({ limit: fc.constant(1000) })).map(args => pull(...args)),
  fc.tuple(place, fc.record({ limit: fc.integer({ min: 1, max: 3 }), tables: fc.subarray(['messages', 'threads', 'notifications', 'kv']) })).map(args => pull(...args)),
  fc.tuple(place, fc.record({ pageSize: fc.integer({ min: 1, max: 4 }) })).map(args => snapshotPage(...args)),
  place.map(reportCursor),
  place.map(reportCursor),
  fc.tuple(workspace, fc.record({ retentionSeconds: fc.constantFrom(hour, 24 * hour), tombstonesToo: fc.boolean() })).map(args => cleanUp(...args)),
  fc.tuple(workspace, fc.record({ retentionSeconds: fc.constant(hour), tombstonesToo: fc.constant(true) })).map(args => cleanUp(...args)),
  fc.constant(restart),
  fc.constantFrom(1, hour + 1, hour + 1, hour + 1, hour + 1, 26 * hour, 366 * 24 * hour, -2 * hour, -366 * 24 * hour).map(turnClock),
]

it.each(listStores())('on $name answers like the model, and every device ends up with the same rows', { timeout: timeoutMs(180) }, async ({ make, share }) => {
  startClock()
  const store = await make()
  let world: World | undefined
  await fc.assert(fc.asyncProperty(fc.commands(commands, { maxCommands: 60, size: 'max' }), async (sequence) => {
    vi.setSystemTime(new Date('2026-01-01T00:00:00Z'))
    world = await createWorld(store)
    const made = world
    try {
      await fc.asyncModelRun(() => ({ model: made, real: made }), sequence)
      for (const places of world.places) await settle(world, places)
    }
    finally {
      await world.close()
    }
  }), { ...runs(300 * share), endOnFailure: false })
})

/** Every device pushes and pulls until nothing moves any more; then all are compared. */
async function settle(world: World, places: readonly Place[]) {
  for (let round = 0; round < 3; round++) {
    for (const here of places) {
      await pushOutbox(world, here, { count: 1000 })
      await catchUp(world, here)
      await report(world, here)
    }
  }
  for (const here of places) {
    expect(here.device.outbox).toEqual([])
    const expected = new Map(snapshotModel(here.model, here.device.user).flatMap(item => item.kind === 'row' ? [[`${item.tableName}/${item.pk}`, item.payload] as const] : []).sort(([a], [b]) => a < b ? -1 : 1))
    // What comes back under a forgotten tombstone stays deleted where the tombstone is remembered (SPEC.md, "Trade-offs").
    const old = oldTombstones(here.device, here.model.horizon)
    expect(liveRows(here.device)).toEqual(new Map([...expected].filter(([key]) => !old.has(key))))
    // A February device: starts from 0, knows no snapshot.
    const fresh = { ...here, device: createDevice('fresh', here.device.user) }
    await catchUp(world, fresh, { knowsSnapshot: false })
    expect(liveRows(fresh.device)).toEqual(expected)
  }
}

async function catchUp(world: World, here: Place, { knowsSnapshot = true } = {}) {
  for (let hasMore = true; hasMore;) {
    const page = await pullPage(world, here, here.device.cursor, { limit: 4 })
    if (page.requiresSnapshot && knowsSnapshot) {
      await takeSnapshot(world, here)
      continue
    }
    applyPage(here.device, page)
    hasMore = page.hasMore
  }
}
