/** Two or more replicas on one model server, with a wall clock that a test moves by hand. */
import { createReplica } from '../../../.playground/app/sync/replica.ts'
import type { PendingOp, Replica, Transport } from '../../../.playground/app/sync/replica.ts'

export function createWallClock(startMs = 1_760_000_000_000) {
  let nowMs = startMs
  return { now: () => nowMs, advance: (byMs: number) => (nowMs += byMs) }
}

export function createDevices(transport: Transport, names: string[], now = createWallClock().now): Replica[] {
  return names.map(deviceId => createReplica({ deviceId, workspaceId: 'w1', transport, now }))
}

/** Each device syncs until nobody has anything new to say. */
export async function settle(...devices: Replica[]): Promise<void> {
  for (let round = 0; round < 2; round++) for (const device of devices) await device.sync()
}

export async function areEqual(...devices: Replica[]): Promise<boolean> {
  const prints = await Promise.all(devices.map(device => device.fingerprint()))
  return new Set(prints).size === 1
}

let made = 0

/** A ready op in wire format with a stamp chosen by the test. */
export function buildOp(pk: string, stamp: Partial<PendingOp['stamp']>, change: Partial<PendingOp> = {}): PendingOp {
  const opId = stamp.opId ?? `00000000-0000-4000-8000-${String(++made).padStart(12, '0')}`
  return {
    id: `pending-${opId}`,
    tableName: 'kv',
    operation: 'put',
    pk,
    payload: { id: pk, value: opId },
    stamp: { deviceId: 'other', hlc: '0mgk1vk00:000:nodenode', clock: 1, ...stamp, opId },
    createdAt: 1_760_000_000_000,
    attempts: 0,
    status: 'pending',
    ...change,
  }
}
