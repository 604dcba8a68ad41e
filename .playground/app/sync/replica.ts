/**
 * A device that works without the server: local writes show at once and wait in an outbox, `sync()` exchanges them,
 * and two replicas that have read the same ops are equal whatever the order. No framework, no DOM.
 */
import { areConcurrent, createDecisions } from './decisions.ts'
import type { Device } from './device.ts'
import { createEntries, describeOp, isRow } from './entries.ts'
import { fingerprintEntries } from './fingerprint.ts'
import { createHybridClock } from './hlc.ts'
import { createUuid } from './ids.ts'
import { createOutbox } from './outbox.ts'
import { reportOffline, runSync } from './run.ts'
import { buildDeletePayload, completePayload } from './tables.ts'
import { TransportError } from './transport.ts'
import type { Replica, ReplicaOptions, ReplicaState, SyncReport } from './types.ts'
import type { JsonObject, PendingOp, Transport } from './wire.ts'

export { createHttpTransport, TransportError } from './transport.ts'
export type * from './types.ts'
export type * from './wire.ts'

export function createReplica(options: ReplicaOptions): Replica {
  const { deviceId, workspaceId, now = Date.now } = options
  const listeners = new Set<() => void>()
  let online = true
  let running: Promise<SyncReport> | undefined

  const device: Device = {
    deviceId,
    workspaceId,
    transport: gateTransport(options.transport, () => online),
    tables: options.tables,
    batchSize: options.batchSize ?? 50,
    pageSize: options.pageSize ?? 300,
    now,
    entries: createEntries(),
    outbox: createOutbox(),
    decisions: createDecisions(),
    clock: createHybridClock(deviceId, now),
    cursor: 0,
    head: 0,
    storedCursor: 0,
    notify: () => listeners.forEach(listener => listener()),
  }

  return {
    deviceId,
    workspaceId,
    put: (tableName, pk, payload) => write(device, 'put', tableName, pk, payload),
    remove: (tableName, pk) => write(device, 'delete', tableName, pk),
    enqueue(op) {
      takeOp(device, op)
      device.notify()
    },
    enqueueAll(ops) {
      for (const op of ops) takeOp(device, op)
      device.notify()
    },
    rows: tableName => device.entries.rows(tableName),
    get(tableName, pk) {
      const entry = device.entries.get(tableName, pk)
      return entry && isRow(entry) ? entry : undefined
    },
    tombstones: () => device.entries.all().filter(entry => !isRow(entry)),
    get pending() {
      return device.outbox.pending
    },
    get failed() {
      return device.outbox.failed
    },
    get cursor() {
      return device.cursor
    },
    get head() {
      return device.head
    },
    get decisions() {
      return device.decisions.list
    },
    get online() {
      return online
    },
    set online(value) {
      online = value
      device.notify()
    },
    sync() {
      if (!online) return Promise.resolve(reportOffline(device))
      running ??= runSync(device).finally(() => (running = undefined))
      return running
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    fingerprint: () => fingerprintEntries(device.entries.all()),
    state: () => saveState(device),
    restore(state) {
      if (running) throw new Error('A replica cannot be restored while it syncs.')
      restoreState(device, state)
      device.notify()
    },
  }
}

function write(
  device: Device,
  operation: 'put' | 'delete',
  tableName: string,
  pk: string,
  row?: JsonObject,
): PendingOp {
  const createdAt = device.now()
  const stamp = {
    deviceId: device.deviceId,
    opId: createUuid(),
    hlc: device.clock.tick(),
    clock: (device.entries.get(tableName, pk)?.revision.clock ?? 0) + 1,
  }
  const payload = row ? completePayload(tableName, pk, row, stamp) : buildDeletePayload(tableName, pk, createdAt)
  const op = { id: createUuid(), tableName, operation, pk, payload, stamp, createdAt, attempts: 0, status: 'pending' }
  for (const superseded of device.outbox.add(op, false)) device.entries.dropPending(superseded)
  device.entries.addPending(op)
  device.notify()
  return op
}

function takeOp(device: Device, op: PendingOp): void {
  if (device.outbox.has(op.stamp.opId)) return
  const held = device.entries.get(op.tableName, op.pk)
  if (held && device.entries.isPending(op.tableName, op.pk)) {
    const meeting = { incoming: describeOp(op), held, heldIsPending: false }
    if (areConcurrent(meeting)) device.decisions.record(meeting.incoming, held, device.now())
  }
  device.clock.observe(op.stamp.hlc)
  device.outbox.add(op, true)
  device.entries.addPending(op)
}

/** Going offline cuts a run between two requests, as a lost connection would. */
function gateTransport(transport: Transport, isOnline: () => boolean): Transport {
  const gate
    = <Q, A>(send: (request: Q) => Promise<A>) =>
      async (request: Q): Promise<A> => {
        if (!isOnline()) throw new TransportError(0, 'This device is offline.', { code: 'NETWORK_ERROR' })
        return send(request)
      }
  return {
    push: gate(request => transport.push(request)),
    pull: gate(request => transport.pull(request)),
    updateCursor: gate(request => transport.updateCursor(request)),
    snapshot: transport.snapshot && gate(request => transport.snapshot!(request)),
  }
}

function saveState(device: Device): ReplicaState {
  return {
    version: 1,
    deviceId: device.deviceId,
    workspaceId: device.workspaceId,
    cursor: device.cursor,
    head: device.head,
    storedCursor: device.storedCursor,
    hlc: device.clock.last,
    entries: device.entries.confirmed(),
    ...device.outbox.save(),
    decisions: [...device.decisions.list],
  }
}

function restoreState(device: Device, state: ReplicaState): void {
  if (state.version !== 1) throw new Error('The saved replica has a format that this page does not know.')
  if (state.deviceId !== device.deviceId || state.workspaceId !== device.workspaceId) {
    throw new Error('The saved replica belongs to another device or workspace.')
  }
  for (const op of device.outbox.pending) device.entries.dropPending(op)
  device.entries.replaceConfirmed(state.entries)
  device.outbox.restore(state)
  for (const { op } of state.pending) device.entries.addPending(op)
  device.decisions.restore(state.decisions)
  device.clock.restore(state.hlc)
  device.cursor = state.cursor
  device.head = state.head
  device.storedCursor = state.storedCursor
}
