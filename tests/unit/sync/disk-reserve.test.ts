/** The watch of the database's disk: what it refuses goes by what is free now, what it takes by a second ago at most. */
import { beforeEach, expect, it, vi } from 'vitest'
import type { SyncDatabase } from '../../../server/database/types.ts'
import { createDiskReserve } from '../../../server/sync/disk-reserve.ts'

const disk = vi.hoisted(() => ({ free: 0, looks: 0 }))
vi.mock('node:fs/promises', async original => ({
  ...await original<object>(),
  statfs: () => {
    disk.looks++
    return Promise.resolve({ bavail: disk.free, bsize: 1 })
  },
}))
const gibibyte = 2 ** 30
const file = { local: { path: '/data/sync.db' } } as SyncDatabase

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] })
  disk.looks = 0
  return () => vi.useRealTimers()
})

it('looks at most once a second, and beside the push where there was room', async () => {
  disk.free = 100 * gibibyte
  const reserve = createDiskReserve(file)
  expect(await reserve.isShort()).toBe(false)
  disk.free = 10
  expect([reserve.isShort(), disk.looks]).toEqual([false, 1])
  vi.advanceTimersByTime(1_001)
  expect([reserve.isShort(), disk.looks], 'it looks beside').toEqual([false, 2])
  await Promise.resolve()
  await Promise.resolve()
  expect([reserve.isShort(), disk.looks]).toEqual([true, 2])
})

// Seen red with the answer of the last look: the first put after a full disk was refused although there was room again.
it('refuses nothing by an answer that is older than a second', async () => {
  disk.free = 10
  const reserve = createDiskReserve(file)
  expect(await reserve.isShort()).toBe(true)
  disk.free = 100 * gibibyte
  vi.advanceTimersByTime(1_001)
  expect(await reserve.isShort()).toBe(false)
})

it('watches no disk where the database is on a server', async () => {
  expect(await createDiskReserve({ local: null } as SyncDatabase).isShort()).toBe(false)
  expect(disk.looks).toBe(0)
})
