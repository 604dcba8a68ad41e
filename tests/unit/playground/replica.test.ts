/** What one device does by itself: local writes, the outbox, saved state. */
import { describe, expect, it } from 'vitest'
import { createReplica } from '../../../.playground/app/sync/replica.ts'
import { buildOp, createDevices, createWallClock } from './devices.ts'
import { createModelServer } from './model-server.ts'

const HLC = /^[0-9a-z]{9}:[0-9a-z]{3}:[0-9a-z]{8}$/
const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

function createDevice() {
  const server = createModelServer()
  const [device] = createDevices(server.transport, ['a'])
  return { server, device: device! }
}

describe('a local write', () => {
  it('shows at once and waits in the outbox', () => {
    const { device } = createDevice()
    const op = device.put('threads', 't1', { title: 'Soup' })
    expect(device.rows('threads').map(row => row.payload['title'])).toEqual(['Soup'])
    expect(device.pending).toEqual([op])
    expect(op.stamp.hlc).toMatch(HLC)
    expect(op.stamp.opId).toMatch(UUID_V4)
    expect(op.payload).toMatchObject({ id: 't1', clock: 1 })
  })

  it('counts the clock up over a tombstone', () => {
    const { device } = createDevice()
    device.put('threads', 't1', { title: 'Soup' })
    device.remove('threads', 't1')
    expect(device.get('threads', 't1')).toBeUndefined()
    expect(device.tombstones()).toHaveLength(1)
    expect(device.put('threads', 't1', { title: 'Stew' }).stamp.clock).toBe(3)
    expect(device.tombstones()).toHaveLength(0)
  })

  it('carries nothing but key and time in a delete', () => {
    const { device } = createDevice()
    expect(device.remove('file_meta', 'sha256:ab').payload).toEqual({
      hash: 'sha256:ab',
      deleted: true,
      deleted_at: 1_760_000_000,
    })
  })

  it('collapses to the newest of its key, while imported ops all go up', async () => {
    const { device, server } = createDevice()
    device.put('kv', 'kv:a', { value: 1 })
    device.put('kv', 'kv:a', { value: 2 })
    device.enqueue(buildOp('kv:b', { clock: 1 }))
    device.enqueue(buildOp('kv:b', { clock: 2 }))
    await device.sync()
    expect(server.log.map(change => `${change.pk} ${change.stamp.clock}`)).toEqual(['kv:a 2', 'kv:b 1', 'kv:b 2'])
  })

  it('keeps a message where it was written, and does not see later changes of the given object', () => {
    const { device } = createDevice()
    const payload = { data: { content: 'hi' } }
    const op = device.put('messages', 'm1', payload)
    payload.data.content = 'changed'
    expect(device.get('messages', 'm1')!.payload).toMatchObject({ data: { content: 'hi' }, order_key: op.stamp.hlc })
    const edited = device.put('messages', 'm1', { ...device.get('messages', 'm1')!.payload })
    expect(edited.payload!['order_key']).toBe(op.stamp.hlc)
  })

  it('stamps upwards even when the wall clock goes back', () => {
    const wall = createWallClock()
    const device = createDevices(createModelServer().transport, ['a'], wall.now)[0]!
    const stamps = [0, -5000, 0, 10_000].map((step) => {
      wall.advance(step)
      return device.put('kv', 'kv:a', {}).stamp.hlc
    })
    expect(stamps).toEqual([...stamps].sort())
    expect(new Set(stamps).size).toBe(4)
  })

  it('gives devices with a shared name prefix different nodes', () => {
    const [left, right] = createDevices(createModelServer().transport, ['playground-left', 'playground-right'])
    expect(left!.put('kv', 'k', {}).stamp.hlc).not.toBe(right!.put('kv', 'k', {}).stamp.hlc)
  })

  it('tells its listeners until they leave', () => {
    const { device } = createDevice()
    let calls = 0
    const leave = device.subscribe(() => calls++)
    device.put('kv', 'kv:a', {})
    device.enqueueAll([buildOp('kv:b', {}), buildOp('kv:c', {})])
    expect(calls).toBe(2)
    leave()
    device.remove('kv', 'kv:a')
    expect(calls).toBe(2)
  })
})

describe('saved state', () => {
  it('brings back rows, outbox, clock and cursor after a restart', async () => {
    const { device, server } = createDevice()
    device.put('threads', 't1', { title: 'Soup' })
    device.remove('threads', 't2')
    await device.sync()
    const last = device.put('threads', 't1', { title: 'Stew' })

    const again = createReplica({ deviceId: 'a', workspaceId: 'w1', transport: server.transport, now: () => 0 })
    again.restore(JSON.parse(JSON.stringify(device.state())))
    expect(await again.fingerprint()).toBe(await device.fingerprint())
    expect(again.pending).toEqual(device.pending)
    expect(again.cursor).toBe(2)
    expect(again.put('kv', 'kv:a', {}).stamp.hlc > last.stamp.hlc).toBe(true)
    expect((await again.sync()).ok).toBe(true)
    expect(server.log).toHaveLength(4)
  })

  it('is refused by another device, another workspace and another format', () => {
    const { device, server } = createDevice()
    const state = device.state()
    const other = createReplica({ deviceId: 'b', workspaceId: 'w1', transport: server.transport })
    expect(() => other.restore(state)).toThrow(/another device/)
    expect(() => device.restore({ ...state, workspaceId: 'w2' })).toThrow(/another device or workspace/)
    expect(() => device.restore({ ...state, version: 2 as 1 })).toThrow(/format/)
  })
})
