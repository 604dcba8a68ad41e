/** Two devices that worked apart end up equal, and know who won. */
import { describe, expect, it } from 'vitest'
import { createReplica } from '../../../.playground/app/sync/replica.ts'
import type { PendingOp, Replica } from '../../../.playground/app/sync/replica.ts'
import { areEqual, buildOp, createDevices, createWallClock, settle } from './devices.ts'
import { createModelServer } from './model-server.ts'

function createPair() {
  const server = createModelServer()
  const wall = createWallClock()
  const [a, b] = createDevices(server.transport, ['a', 'b'], wall.now) as [Replica, Replica]
  return { server, wall, a, b }
}

async function shareRow() {
  const pair = createPair()
  pair.a.put('threads', 't1', { title: 'base' })
  await settle(pair.a, pair.b)
  return pair
}

function titleOn(device: Replica): unknown {
  return device.get('threads', 't1')?.payload['title']
}

describe('offline edits', () => {
  it('of different rows all arrive', async () => {
    const { a, b } = createPair()
    a.online = b.online = false
    a.put('threads', 't1', { title: 'one' })
    b.put('threads', 't2', { title: 'two' })
    expect(await a.sync()).toMatchObject({ ok: false, offline: true, pending: 1 })
    a.online = b.online = true
    await settle(a, b)
    expect(a.rows('threads')).toHaveLength(2)
    expect(await areEqual(a, b)).toBe(true)
    expect(a.decisions).toEqual([])
  })

  it('of one row go to the higher clock, and both devices say so', async () => {
    const { a, b, server } = await shareRow()
    a.online = false
    a.put('threads', 't1', { title: 'once' })
    b.put('threads', 't1', { title: 'first' })
    await b.sync()
    b.put('threads', 't1', { title: 'second' })
    await b.sync()
    a.online = true
    await settle(a, b)
    expect([titleOn(a), titleOn(b)]).toEqual(['second', 'second'])
    expect(await areEqual(a, b)).toBe(true)
    expect(server.log).toHaveLength(4)
    for (const device of [a, b]) {
      expect(device.decisions[0]).toMatchObject({
        decidedBy: 'clock',
        winner: { deviceId: 'b', payload: { title: 'second' } },
        loser: { deviceId: 'a', payload: { title: 'once' } },
      })
    }
  })

  it('with equal clocks go to the later stamp', async () => {
    const { a, b, wall } = await shareRow()
    a.put('threads', 't1', { title: 'earlier' })
    wall.advance(1000)
    b.put('threads', 't1', { title: 'later' })
    await settle(b, a)
    expect([titleOn(a), titleOn(b)]).toEqual(['later', 'later'])
    expect(a.decisions).toMatchObject([{ decidedBy: 'hlc', winner: { deviceId: 'b' }, loser: { deviceId: 'a' } }])
    expect(b.decisions).toHaveLength(1)
  })

  it('lose to a delete with an equal clock only when it is later', async () => {
    for (const deleteLast of [true, false]) {
      const { a, b, wall } = await shareRow()
      const steps = [() => a.put('threads', 't1', { title: 'edited' }), () => b.remove('threads', 't1')]
      for (const step of deleteLast ? steps : steps.reverse()) {
        step()
        wall.advance(1)
      }
      await settle(a, b)
      expect(titleOn(a)).toBe(deleteLast ? undefined : 'edited')
      expect(await areEqual(a, b)).toBe(true)
      expect(a.decisions).toHaveLength(1)
    }
  })

  it('are a conflict too while the own edit is still waiting, or on an earlier page than its echo', async () => {
    for (const waits of [true, false]) {
      const { a, b, server } = await shareRow()
      for (const title of ['first', 'second']) {
        b.put('threads', 't1', { title })
        await b.sync()
      }
      server.refuse = () => (waits ? { errorCode: 'SERVER_ERROR', error: 'later' } : undefined)
      const slow = createReplica({ deviceId: 'a', workspaceId: 'w1', transport: server.transport, pageSize: 1 })
      slow.restore(a.state())
      slow.put('kv', 'kv:other', {})
      slow.put('threads', 't1', { title: 'unaware' })
      await slow.sync()
      expect(titleOn(slow)).toBe('second')
      expect(slow.decisions[0]).toMatchObject({
        decidedBy: 'clock',
        winner: { payload: { title: 'second' } },
        loser: { payload: { title: 'unaware' } },
      })
    }
  })

  it('come back in the copy of the server, should it differ', async () => {
    const { a, server } = createPair()
    server.arrange = changes => changes.map(change => ({ ...change, payload: { ...change.payload, user_id: 'u1' } }))
    a.put('notifications', 'n1', { user_id: 'me' })
    await a.sync()
    expect(a.get('notifications', 'n1')!.payload['user_id']).toBe('u1')
  })

  it('are no conflict when one was made with the other in sight', async () => {
    const { a, b } = await shareRow()
    b.put('threads', 't1', { title: 'next' })
    await settle(b, a)
    a.put('threads', 't1', { title: 'after that' })
    await settle(a, b)
    expect([...a.decisions, ...b.decisions]).toEqual([])
  })
})

describe('any order of the same ops', () => {
  const rival = (opId: string, hlc: string, clock: number, operation: 'put' | 'delete' = 'put'): PendingOp =>
    buildOp('kv:x', { opId, hlc, clock, deviceId: opId }, { operation })

  it('ends in the same row, down to the op id and by code points', async () => {
    const ops = [
      rival('a-first', '0mgk1vk00:000:aaaaaaaa', 1),
      rival('b-later', '0mgk1vk00:001:aaaaaaaa', 1),
      rival('c-halfwidth', 'h\uff5e', 2),
      rival('d-astral', 'h\u{1f600}', 2),
      rival('e-same-hlc', 'h\u{1f600}', 2, 'delete'),
    ]
    const prints = new Set<string>()
    for (let turn = 0; turn < ops.length; turn++) {
      const { a, b } = createPair()
      a.enqueueAll([...ops.slice(turn), ...ops.slice(0, turn)])
      await settle(a, b)
      expect(await areEqual(a, b)).toBe(true)
      expect(a.tombstones()[0]!.revision.opId).toBe('e-same-hlc')
      prints.add(await a.fingerprint())
    }
    expect(prints.size).toBe(1)
  })

  it('holds for pages whose changes come in any order, with small pages', async () => {
    const server = createModelServer()
    const [a] = createDevices(server.transport, ['a'])
    for (let n = 0; n < 40; n++) a!.enqueue(rival(`op-${n}`, `h${n % 7}`, 1 + (n % 5), n % 3 ? 'put' : 'delete'))
    await a!.sync()
    server.arrange = changes => [...changes].reverse()
    const [b] = createDevices(server.transport, ['b'])
    const report = await b!.sync()
    expect(report).toMatchObject({ ok: true, pulled: 40, cursor: 40 })
    expect(await areEqual(a!, b!)).toBe(true)
  })

  it('names the rule that decided', () => {
    const { a } = createPair()
    a.enqueueAll([rival('one', 'h', 1), rival('two', 'h', 1)])
    expect(a.decisions).toMatchObject([{ decidedBy: 'op_id', winner: { deviceId: 'two' } }])
  })

  it('shows 50 conflicts at most, newest first', () => {
    const { a } = createPair()
    for (let n = 0; n < 60; n++) a.enqueue(rival(`op-${String(n).padStart(3, '0')}`, 'h', 1))
    expect(a.decisions).toHaveLength(50)
    expect(a.decisions[0]!.winner.deviceId).toBe('op-059')
  })
})
