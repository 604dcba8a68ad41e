/**
 * T17: an older backup is put back under live devices. Each is told to take a snapshot as soon as it asks with a cursor
 * beyond the head; what it had not pushed yet comes back, and all end up equal. Upholds P10.
 * Seen red: a pull that does not look whether the cursor is beyond the head.
 */
import { copyFile } from 'node:fs/promises'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { createSyncGatewayAdapter } from '../../server/host/sync-adapter/adapter.ts'
import { makeTempFolder, openTestDatabase } from '../helpers/database.ts'
import { eventOf, pullAll, snapshotAll } from '../helpers/sync.ts'
import { runs, timeoutMs, withoutFlushes } from './scale.ts'
import { applyPage, applySnapshot, createDevice, type Device, liveRows, type LocalWrite, writeLocally } from './sync-device.ts'
import { adapterOf } from '../helpers/engine.ts'

type Adapter = ReturnType<typeof createSyncGatewayAdapter>

const local = fc.record({
  tableName: fc.constant('messages' as const), pk: fc.constantFrom('a', 'b', 'c', 'd'), operation: fc.constantFrom('put' as const, 'put' as const, 'delete' as const),
  hlc: fc.constantFrom('a', 'b'), clock: fc.constant(1),
})
const writes = fc.array(fc.tuple(fc.nat(2), local), { minLength: 2, maxLength: 12, size: 'max' })
type Writes = [number, Omit<LocalWrite, 'opId'>][]
const scope = { workspaceId: 'workspace-1' }

it('never lets a device go on in silence after an older backup was restored', { timeout: timeoutMs(60) }, async () => {
  await fc.assert(fc.asyncProperty(writes, writes, writes, async (...courses) => {
    let ops = 0
    const [before, lost, offline] = courses.map(course => withIds(course, () => ++ops)) as [IdWrites, IdWrites, IdWrites]
    const path = `${await makeTempFolder()}/sync.db`
    let database = await openTestDatabase({ path, ...withoutFlushes })
    let adapter = adapterOf(database)
    const devices = ['device-1', 'device-2', 'device-3'].map((id, index) => createDevice(id, `user-${index % 2}`))
    await live(adapter, devices, before)
    await database.close()
    await copyFile(path, `${path}.backup`)

    database = await openTestDatabase({ path, ...withoutFlushes })
    adapter = adapterOf(database)
    await live(adapter, devices, lost)
    for (const [index, write] of offline) writeLocally(devices[index]!, write)
    await database.close()
    await copyFile(`${path}.backup`, path)

    database = await openTestDatabase({ path, ...withoutFlushes })
    adapter = adapterOf(database)
    const head = (await pullAll(adapter)).nextCursor
    for (const device of devices) {
      const { requiresSnapshot, changes } = await adapter.pull(eventOf(device.user), { scope, cursor: device.cursor, limit: 1 })
      expect({ requiresSnapshot, changes: changes.length }).toEqual({ requiresSnapshot: device.cursor > head, changes: 0 })
    }
    // Live devices ask every two seconds: before one has pushed so much that the head is past another's cursor.
    for (const device of devices) await catchUp(adapter, device)
    for (let round = 0; round < 2; round++) for (const device of devices) await sync(adapter, device)
    const rows = liveRows(devices[0]!)
    for (const device of devices) expect(liveRows(device)).toEqual(rows)
    expect((await snapshotAll(adapter)).items.filter(item => item.kind === 'row')).toHaveLength(rows.size)
  }), runs(20))
})

type IdWrites = [number, LocalWrite][]

function withIds(course: Writes, next: () => number): IdWrites {
  return course.map(([index, write]) => [index, { ...write, opId: `00000000-0000-4000-8000-${String(next()).padStart(12, '0')}` }])
}

async function live(adapter: Adapter, devices: readonly Device[], writes: IdWrites) {
  for (const [index, write] of writes) {
    writeLocally(devices[index]!, write)
    await sync(adapter, devices[index]!)
  }
  for (const device of devices) await sync(adapter, device)
}

/** Pulls first, as a device does that comes back, then pushes, then pulls its own changes. */
async function sync(adapter: Adapter, device: Device) {
  const as = eventOf(device.user)
  await catchUp(adapter, device)
  const { results } = await adapter.push(as, { scope, ops: device.outbox })
  const done = new Set(results.filter(result => result.success).map(result => result.opId))
  device.outbox = device.outbox.filter(op => !done.has(op.stamp.opId))
  await catchUp(adapter, device)
}

async function catchUp(adapter: Adapter, device: Device) {
  const as = eventOf(device.user)
  const answer = await pullAll(adapter, { as, cursor: device.cursor })
  if (!answer.requiresSnapshot) return applyPage(device, answer)
  const { items, highWatermark } = await snapshotAll(adapter, { as })
  applySnapshot(device, items, highWatermark)
}
