/** Which of two writes counts, and who is told that they did not know of each other. Upholds P12. */
import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Conflict, SyncStore } from '../../../client/index.ts'
import type { PendingOp, SyncOperation } from '../../../shared/protocol.ts'
import { fingerprint, openLeading, posts } from './devices.ts'
import { startServer } from './server.ts'

interface Device { store: SyncStore, met: Conflict[] }

async function openDevices(count: number, now?: () => number): Promise<Device[]> {
  const server = await startServer()
  return Promise.all(Array.from({ length: count }, async () => {
    const store = await openLeading(server.transportOf(), now && { now })
    const met: Conflict[] = []
    store.onConflict(conflict => met.push(conflict))
    return { store, met }
  }))
}

async function settle(...devices: Device[]): Promise<void> {
  for (let round = 0; round < 2; round++) {
    for (const { store } of devices) expect(await store.sync()).toMatchObject({ ok: true })
  }
}

/** Two devices that know one row, on a wall clock that the test moves. */
async function openPair() {
  let ms = Date.now()
  const [a, b] = await openDevices(2, () => ms) as [Device, Device]
  put(a, 'base')
  await settle(a, b)
  return { a, b, wait: () => (ms += 1_000) }
}

const put = ({ store }: Device, title: string) => void store.table(posts).put({ id: 'p1', title })
const titles = (...devices: Device[]) => devices.map(({ store }) => store.table(posts).get('p1')?.title)

describe('two writes of one row that did not know of each other', () => {
  it('go to the higher clock, and both devices say so', async () => {
    const { a, b } = await openPair()
    put(a, 'once')
    put(b, 'first')
    await b.store.sync()
    put(b, 'second')
    await settle(b, a)
    expect(titles(a, b)).toEqual(['second', 'second'])
    for (const { met } of [a, b]) {
      expect(met.at(-1)).toMatchObject({ decidedBy: 'clock', winner: { row: { title: 'second' } }, loser: { row: { title: 'once' } } })
    }
  })

  it('go to the later stamp where the clocks are equal, from whichever side they are met', async () => {
    const { a, b, wait } = await openPair()
    put(a, 'earlier')
    wait()
    put(b, 'later')
    await settle(b, a)
    expect(titles(a, b)).toEqual(['later', 'later'])
    for (const { met } of [a, b]) {
      expect(met).toMatchObject([{ decidedBy: 'hlc', winner: { by: b.store.status.deviceId }, loser: { by: a.store.status.deviceId } }])
    }
  })

  it.each([true, false])('of which one is a delete are judged alike; the delete is the later one: %s', async (isDeleteLast) => {
    const { a, b, wait } = await openPair()
    const steps = [() => put(a, 'edited'), () => void b.store.table(posts).remove('p1')]
    for (const step of isDeleteLast ? steps : steps.reverse()) {
      step()
      wait()
    }
    await settle(a, b)
    expect(titles(a, b)).toEqual(isDeleteLast ? [undefined, undefined] : ['edited', 'edited'])
    expect(fingerprint(a.store)).toBe(fingerprint(b.store))
    expect(a.met).toHaveLength(1)
  })

  it('are none where one was made with the other in sight', async () => {
    const { a, b } = await openPair()
    put(b, 'next')
    await settle(b, a)
    put(a, 'after that')
    await settle(a, b)
    expect([...a.met, ...b.met]).toEqual([])
  })
})

it('ends in the same row by any order of the same ops, down to the op id and by code points', async () => {
  const ops = [
    makeOp(1, '0mgk1vk00:000:aaaaaaaa'), makeOp(1, '0mgk1vk00:001:aaaaaaaa'),
    makeOp(2, 'h\uff5e'), makeOp(2, 'h\u{1f600}', 'ffffffff'), makeOp(2, 'h\u{1f600}', '00000000', 'delete'),
  ]
  for (let turn = 0; turn < ops.length; turn++) {
    const [a, b] = await openDevices(2) as [Device, Device]
    await settle(a, b)
    await a.store.importOps([...ops.slice(turn), ...ops.slice(0, turn)])
    await settle(a, b)
    for (const { store } of [a, b]) {
      expect([...store.entries()]).toMatchObject([{ pk: 'p1', clock: 2, hlc: 'h\u{1f600}', opId: ops[3]!.stamp.opId }])
    }
    expect(b.met.map(({ decidedBy }) => decidedBy)).toContain('op_id')
  }
})

/** A ready op of another device, with an op id that begins as told. */
function makeOp(clock: number, hlc: string, idStart = '88888888', operation: SyncOperation = 'put'): PendingOp {
  const opId = `${idStart}${randomUUID().slice(8)}`
  const payload = operation === 'put'
    ? { id: 'p1', title: opId, content: '', post_type: 'doc', deleted: false, created_at: 1, updated_at: 1, clock }
    : { id: 'p1', deleted: true, deleted_at: 1 }
  const stamp = { deviceId: opId, opId, hlc, clock }
  return { id: opId, tableName: 'posts', operation, pk: 'p1', payload, stamp, createdAt: 1, attempts: 0, status: 'pending' }
}
