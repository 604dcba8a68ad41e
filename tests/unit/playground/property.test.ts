/**
 * Three devices do anything in any order over a network that loses requests and answers: in the end they are equal,
 * nothing is pending, and each key shows the strongest op the server ever logged.
 * Seen red with the op-id tie-break removed, with the outbox emptied when an answer is lost, and with a cursor that
 * skips one change at the end of a page.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createReplica } from '../../../.playground/app/sync/replica.ts'
import type { Replica, SyncChange } from '../../../.playground/app/sync/replica.ts'
import { compareRevisions } from '../../../.playground/app/sync/revision.ts'
import { areEqual, buildOp, createWallClock } from './devices.ts'
import { createModelServer, loseConnection } from './model-server.ts'
import type { ModelServer } from './model-server.ts'

const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 150)

const step = fc.record({
  who: fc.nat(2),
  pk: fc.constantFrom('kv:a', 'kv:b', 'kv:c'),
  what: fc.constantFrom(
    'put',
    'put',
    'remove',
    'sync',
    'sync',
    'import',
    'import',
    'restart',
    'offline',
    'horizon',
    'wait',
  ),
  fault: fc.constantFrom('none', 'none', 'before', 'after'),
  faultAt: fc.nat(4),
  clock: fc.integer({ min: 1, max: 3 }),
})
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

describe('any sequence of writes, faults, restarts and snapshots', () => {
  it('ends with equal devices', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
        const server = createModelServer()
        const wall = createWallClock()
        const start = (deviceId: string) =>
          createReplica({
            deviceId,
            workspaceId: 'w1',
            transport: server.transport,
            now: wall.now,
            batchSize: 3,
            pageSize: 2,
          })
        const devices = ['a', 'b', 'c'].map(start)
        for (const [at, one] of steps.entries()) await perform(one, at, devices, server, wall, start)

        server.before = server.after = () => {}
        for (const device of devices) device.online = true
        for (let round = 0; round < 2; round++) {
          for (const device of devices) expect(await device.sync()).toMatchObject({ ok: true, pending: 0, failed: 0 })
        }
        expect(await areEqual(...devices)).toBe(true)
        expect(describeEntries(devices[0]!)).toEqual(describeStrongest(server.log))
      }),
      { numRuns: RUNS },
    )
  })
})

async function perform(
  { who, pk, what, fault, faultAt, clock }: Step,
  at: number,
  devices: Replica[],
  server: ModelServer,
  wall: { advance(ms: number): unknown },
  start: (deviceId: string) => Replica,
): Promise<void> {
  const device = devices[who]!
  if (what === 'put') device.put('kv', pk, { value: at })
  if (what === 'remove') device.remove('kv', pk)
  if (what === 'wait') wall.advance(faultAt - 2)
  if (what === 'offline') device.online = !device.online
  if (what === 'horizon') server.horizon = server.log.length
  if (what === 'import') {
    const author = `x${faultAt % 2}`
    const stamp = { opId: `imported-${at}`, deviceId: author, clock, hlc: `h${faultAt % 2}` }
    device.enqueue(buildOp(pk, stamp, { operation: at % 3 ? 'put' : 'delete' }))
  }
  if (what === 'restart') {
    devices[who] = start(device.deviceId)
    devices[who]!.restore(JSON.parse(JSON.stringify(device.state())))
  }
  if (what === 'sync') {
    let requests = 0
    const fail = () => (requests++ === faultAt ? loseConnection() : undefined)
    server.before = fault === 'before' ? fail : () => {}
    server.after = fault === 'after' ? fail : () => {}
    await device.sync()
  }
}

function describeEntries(device: Replica): Record<string, string> {
  const entries = [...device.rows('kv'), ...device.tombstones()]
  return Object.fromEntries(entries.map(({ pk, revision }) => [pk, revision.opId]))
}

function describeStrongest(log: SyncChange[]): Record<string, string> {
  const strongest = new Map<string, SyncChange>()
  for (const change of log) {
    const held = strongest.get(change.pk)
    if (!held || compareRevisions(change.stamp, held.stamp) > 0) strongest.set(change.pk, change)
  }
  return Object.fromEntries(Array.from(strongest, ([pk, change]) => [pk, change.stamp.opId]))
}
