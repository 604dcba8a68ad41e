/** A device that is too far behind starts afresh and keeps its own unsent work. */
import { describe, expect, it } from 'vitest'
import { createReplica, TransportError } from '../../../.playground/app/sync/replica.ts'
import { areEqual, createDevices, settle } from './devices.ts'
import { createModelServer } from './model-server.ts'

async function createStaleDevice() {
  const server = createModelServer()
  const [a] = createDevices(server.transport, ['a'])
  const b = createReplica({ deviceId: 'b', workspaceId: 'w1', transport: server.transport, pageSize: 3 })
  for (let n = 0; n < 8; n++) a!.put('kv', `kv:${n}`, { value: n })
  await settle(a!, b)
  a!.remove('kv', 'kv:0')
  a!.put('kv', 'kv:1', { value: 'newer' })
  await a!.sync()
  server.horizon = server.log.length
  return { server, a: a!, b }
}

describe('requiresSnapshot', () => {
  it('replaces what was confirmed and keeps the outbox on top', async () => {
    const { server, a, b } = await createStaleDevice()
    let refusals = 0
    server.refuse = () => (refusals++ === 0 ? { errorCode: 'SERVER_ERROR', error: 'later' } : undefined)
    b.put('kv', 'kv:mine', { value: 'unsent' })
    expect(await b.sync()).toMatchObject({ ok: true, snapshot: true, pending: 1, cursor: 10, head: 10 })
    expect(b.get('kv', 'kv:0')).toBeUndefined()
    expect(b.get('kv', 'kv:1')!.payload['value']).toBe('newer')
    expect(b.get('kv', 'kv:mine')!.payload['value']).toBe('unsent')
    expect(server.calls.snapshot).toHaveLength(3)
    await settle(b, a)
    expect(await areEqual(a, b)).toBe(true)
  })

  it('shows the stronger of the snapshot and an op that is still waiting', async () => {
    const { server, a, b } = await createStaleDevice()
    for (const value of [2, 3]) {
      a.put('kv', 'kv:2', { value })
      await a.sync()
    }
    server.horizon = server.log.length
    server.refuse = () => ({ errorCode: 'SERVER_ERROR', error: 'later' })
    b.put('kv', 'kv:2', { value: 'weaker' })
    expect(await b.sync()).toMatchObject({ snapshot: true, pending: 1 })
    expect(b.get('kv', 'kv:2')!.payload['value']).toBe(3)
  })

  it('forgets rows of which the server knows nothing any more', async () => {
    const { server, b } = await createStaleDevice()
    server.transport.snapshot = async () => ({
      workspaceId: 'w1',
      snapshotId: 's',
      highWatermark: 10,
      items: [],
      nextPageToken: null,
    })
    expect(b.rows('kv')).toHaveLength(8)
    const fresh = createReplica({ deviceId: 'b', workspaceId: 'w1', transport: server.transport })
    fresh.restore(b.state())
    await fresh.sync()
    expect(fresh.rows('kv')).toEqual([])
  })

  it('goes back with a server that was restored from an older backup', async () => {
    const { server, a, b } = await createStaleDevice()
    await settle(b)
    server.horizon = 0
    const restored = createModelServer()
    const [c] = createDevices(restored.transport, ['c'])
    c!.put('kv', 'kv:only', {})
    await c!.sync()
    const again = createReplica({ deviceId: 'a', workspaceId: 'w1', transport: restored.transport })
    again.restore(a.state())
    expect(await again.sync()).toMatchObject({ ok: true, snapshot: true, cursor: 1, head: 1 })
    expect(await areEqual(c!, again)).toBe(true)
  })

  it('is read once more when it expires, and only once', async () => {
    for (const [failures, ok] of [
      [1, true],
      [2, false],
    ] as const) {
      const { server, b } = await createStaleDevice()
      let left = failures as number
      server.before = (route) => {
        if (route === 'snapshot' && left-- > 0) throw new TransportError(410, 'Expired')
      }
      expect(await b.sync()).toMatchObject({ ok, snapshot: ok })
      expect(b.rows('kv')).toHaveLength(ok ? 7 : 8)
    }
  })

  it('ends with an error when asked for again right after one, or when it cannot be read', async () => {
    const { server, b } = await createStaleDevice()
    server.horizon = 11
    expect(await b.sync()).toMatchObject({ ok: false, error: { status: 502 } })
    const { push, pull, updateCursor } = server.transport
    const simple = createReplica({ deviceId: 'd', workspaceId: 'w1', transport: { push, pull, updateCursor } })
    expect(await simple.sync()).toMatchObject({ ok: false, snapshot: false })
  })

  it('refuses pages of another workspace', async () => {
    const { server, b } = await createStaleDevice()
    const read = server.transport.snapshot!
    const transport = {
      ...server.transport,
      snapshot: async (q: Parameters<typeof read>[0]) => ({ ...(await read(q)), workspaceId: 'w2' }),
    }
    const device = createReplica({ deviceId: 'b', workspaceId: 'w1', transport })
    device.restore(b.state())
    expect(await device.sync()).toMatchObject({
      ok: false,
      error: { message: expect.stringContaining('another workspace') },
    })
    expect(device.rows('kv')).toHaveLength(8)
  })
})
