/** What a device does when the network, the server or a single op goes wrong: nothing is lost, nothing is stuck. */
import { describe, expect, it } from 'vitest'
import { createReplica, TransportError } from '../../../.playground/app/sync/replica.ts'
import type { Replica } from '../../../.playground/app/sync/replica.ts'
import { areEqual, createDevices, settle } from './devices.ts'
import { createModelServer, loseConnection } from './model-server.ts'

function createPair() {
  const server = createModelServer()
  const [a, b] = createDevices(server.transport, ['a', 'b']) as [Replica, Replica]
  return { server, a, b }
}

describe('a push', () => {
  it('whose answer got lost is repeated without a second version', async () => {
    const { server, a, b } = createPair()
    a.put('kv', 'kv:a', { value: 1 })
    server.after = loseConnection
    const report = await a.sync()
    expect(report).toMatchObject({ ok: false, pending: 1, error: { status: 0, code: 'NETWORK_ERROR' } })
    expect(a.pending[0]!.attempts).toBe(1)
    server.after = () => {}
    await settle(a, b)
    expect(server.log).toHaveLength(1)
    expect(await areEqual(a, b)).toBe(true)
  })

  it('refused for good takes the local change back and is kept for the user', async () => {
    const { server, a, b } = createPair()
    a.put('kv', 'kv:a', { value: 'fine' })
    await settle(a, b)
    server.refuse = ({ payload }) =>
      payload?.['value'] === 'bad' ? { error: 'Payload too large', errorCode: 'OVERSIZED' } : undefined
    a.put('kv', 'kv:a', { value: 'bad' })
    a.put('kv', 'kv:b', { value: 'neighbour' })
    expect(await a.sync()).toMatchObject({ ok: true, pushed: 1, failed: 1, pending: 0 })
    expect(a.failed).toMatchObject([{ errorCode: 'OVERSIZED', error: 'Payload too large', op: { pk: 'kv:a' } }])
    expect(a.get('kv', 'kv:a')!.payload['value']).toBe('fine')
    await b.sync()
    expect(await areEqual(a, b)).toBe(true)
  })

  it('refused for now stays, and is tried once a run', async () => {
    const { server, a } = createPair()
    server.refuse = () => ({ error: 'later', errorCode: 'SERVER_ERROR' })
    a.put('kv', 'kv:a', { value: 1 })
    expect(await a.sync()).toMatchObject({ ok: true, pending: 1, failed: 0 })
    expect(server.calls.push).toHaveLength(1)
    server.refuse = () => undefined
    expect(await a.sync()).toMatchObject({ ok: true, pending: 0 })
  })

  it.each([
    [400, 'Invalid payload for kv: value', 'VALIDATION_ERROR'],
    [413, 'Payload too large', 'OVERSIZED'],
  ])('refused whole with %i finds the op that is to blame', async (status, message, errorCode) => {
    const { server, a } = createPair()
    const push = server.transport.push
    server.transport.push = (batch) => {
      if (batch.ops.some(op => op.pk === 'kv:7')) return Promise.reject(new TransportError(status, message))
      return push(batch)
    }
    const device = createReplica({ deviceId: 'c', workspaceId: 'w1', transport: server.transport })
    for (let n = 0; n < 20; n++) device.put('kv', `kv:${n}`, {})
    expect(await device.sync()).toMatchObject({ ok: true, pushed: 19, failed: 1, pending: 0 })
    expect(device.failed).toMatchObject([{ errorCode, op: { pk: 'kv:7' } }])
    await a.sync()
    expect(await areEqual(a, device)).toBe(true)
  })

  it('refused as a request, or by the rate limit, costs no op', async () => {
    const { server, a } = createPair()
    a.put('kv', 'kv:a', {})
    for (const [status, message] of [
      [400, 'Invalid push request'],
      [401, 'Unauthorized'],
      [429, 'Slow down'],
    ] as const) {
      server.before = () => {
        throw new TransportError(status, message, { retryAfterSeconds: 7 })
      }
      const report = await a.sync()
      expect(report).toMatchObject({ ok: false, pending: 1, error: { status, message, retryAfterSeconds: 7 } })
    }
    expect(a.failed).toEqual([])
  })

  it('goes in batches of 50 ops and never above 1.5 MB', async () => {
    const { server, a } = createPair()
    for (let n = 0; n < 120; n++) a.put('kv', `kv:${n}`, {})
    for (let n = 0; n < 10; n++) a.put('posts', `p${n}`, { content: 'é'.repeat(150_000) })
    await a.sync()
    expect(server.calls.push.map(batch => batch.ops.length)).toEqual([50, 50, 24, 4, 2])
  })

  it('keeps a write made while its elder is on the way', async () => {
    const { server, a, b } = createPair()
    a.put('kv', 'kv:a', { value: 'elder' })
    server.after = (route) => {
      if (route !== 'push' || server.log.length !== 1) return
      server.after = () => {}
      a.put('kv', 'kv:a', { value: 'younger' })
    }
    await settle(a, b)
    expect(server.log.map(change => change.payload!['value'])).toEqual(['elder', 'younger'])
    expect(b.get('kv', 'kv:a')!.payload['value']).toBe('younger')
    expect(a.pending).toEqual([])
  })
})

describe('a pull', () => {
  it('cut in the middle goes on where it stopped', async () => {
    const { server, a } = createPair()
    for (let n = 0; n < 25; n++) a.put('kv', `kv:${n}`, {})
    await a.sync()
    const b = createReplica({ deviceId: 'b', workspaceId: 'w1', transport: server.transport, pageSize: 10 })
    let pulls = 0
    server.before = route => (route === 'pull' && ++pulls === 2 ? loseConnection() : undefined)
    expect(await b.sync()).toMatchObject({ ok: false, cursor: 10, pulled: 10 })
    expect(await b.sync()).toMatchObject({ ok: true, cursor: 25, pulled: 15, pages: 2 })
    expect(await areEqual(a, b)).toBe(true)
  })

  it('reports its cursor once, and not again while nothing happens', async () => {
    const { server, a } = createPair()
    a.put('kv', 'kv:a', {})
    await a.sync()
    await a.sync()
    expect(server.calls.updateCursor).toEqual([{ scope: { workspaceId: 'w1' }, deviceId: 'a', version: 1 }])
  })

  it('ends with an error when the server does not move on', async () => {
    const { server, a } = createPair()
    server.transport.pull = async () => ({ changes: [], nextCursor: 0, hasMore: true })
    expect(await createDevices(server.transport, ['c'])[0]!.sync()).toMatchObject({ ok: false, error: { status: 502 } })
    expect(a.cursor).toBe(0)
  })

  it('is one run when asked for twice at once', async () => {
    const { server, a } = createPair()
    await Promise.all([a.sync(), a.sync()])
    expect(server.calls.pull).toHaveLength(1)
  })

  it('stops between two requests when the device goes offline', async () => {
    const { server, a } = createPair()
    a.put('kv', 'kv:a', {})
    server.after = () => (a.online = false)
    expect(await a.sync()).toMatchObject({
      ok: false,
      pushed: 1,
      pending: 0,
      error: { message: 'This device is offline.' },
    })
  })
})
