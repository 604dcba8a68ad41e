/**
 * A device as the protocol wants it: keeps rows and tombstones by last-writer-wins, an outbox, a cursor; takes a
 * snapshot when told so. It keeps its tombstones: which of them the server has forgotten it cannot know.
 */
import type { PendingOp, PullResponse, Revision, SnapshotItem } from '../../shared/protocol.ts'
import { deleteOf, payloads, putOf } from '../helpers/sync.ts'
import { isGreater, keyOf, revisionOf } from './sync-model.ts'

interface Entry {
  kind: 'row' | 'tombstone'
  payload?: unknown
  revision: Revision
  /** Undefined while only this device knows of it. */
  version?: number | undefined
  /** Its version is not known, only that it is no newer than the snapshot's. */
  isFromSnapshot?: boolean | undefined
}

export interface Device {
  readonly deviceId: string
  readonly user: string
  cursor: number
  readonly rows: Map<string, Entry>
  outbox: PendingOp[]
  /** Everything ever sent, for repeats. */
  readonly sent: PendingOp[]
  /** A snapshot under way: what has come, and where it goes on. */
  snapshot?: { items: SnapshotItem[], expected: SnapshotItem[], highWatermark: number, pageToken: string, mayExpire: boolean, pagedAt: number } | undefined
}

export function createDevice(deviceId: string, user: string): Device {
  return { deviceId, user, cursor: 0, rows: new Map(), outbox: [], sent: [] }
}

export interface LocalWrite { tableName: keyof typeof payloads, pk: string, operation: 'put' | 'delete', hlc: string, clock: number, opId: string }

/** `clock` is added to the row's own; 0 is a device that has lost count. */
export function writeLocally(device: Device, { tableName, pk, operation, hlc, clock, opId }: LocalWrite): void {
  const known = device.rows.get(keyOf({ tableName, pk }))?.revision.clock ?? 0
  const stamp = { deviceId: device.deviceId, hlc, clock: known + clock, opId }
  const payload = payloads[tableName](pk, { clock: stamp.clock, ...tableName === 'notifications' ? { user_id: device.user } : {} })
  const op = operation === 'put' ? putOf(pk, { tableName, payload, stamp }) : deleteOf(pk, { tableName, stamp })
  device.outbox.push(op)
  apply(device, op)
}

function apply(device: Device, op: Pick<PendingOp, 'tableName' | 'pk' | 'operation' | 'payload' | 'stamp'>, version?: number) {
  const key = keyOf(op)
  const revision = revisionOf(op as PendingOp)
  const known = device.rows.get(key)
  if (known && revision.opId === known.revision.opId) known.version = version ?? known.version
  else if (!known || isGreater(revision, known.revision)) {
    device.rows.set(key, { kind: op.operation === 'put' ? 'row' : 'tombstone', payload: op.payload, revision, version })
  }
}

/** Takes a page over that starts at the device's cursor and is not filtered. */
export function applyPage(device: Device, { changes, nextCursor }: PullResponse): void {
  for (const { serverVersion, op, ...change } of changes) apply(device, { ...change, operation: op }, serverVersion)
  device.cursor = nextCursor
}

/** Replaces all rows, then puts what was not pushed yet on top. */
export function applySnapshot(device: Device, items: readonly SnapshotItem[], highWatermark: number): void {
  device.rows.clear()
  for (const item of items) {
    device.rows.set(keyOf(item), { kind: item.kind, payload: item.kind === 'row' ? item.payload : undefined, revision: item.revision, version: highWatermark, isFromSnapshot: true })
  }
  for (const op of device.outbox) apply(device, op)
  device.cursor = highWatermark
}

/** Keys whose tombstone the device has and the server may have forgotten. */
export function oldTombstones(device: Device, horizon: number): Set<string> {
  return new Set([...device.rows]
    .filter(([, { kind, version, isFromSnapshot }]) => kind === 'tombstone' && version !== undefined && (version <= horizon || (isFromSnapshot && horizon > 0)))
    .map(([key]) => key))
}

/** What a user of the device sees: its live rows. */
export function liveRows(device: Device): Map<string, unknown> {
  return new Map([...device.rows].filter(([, entry]) => entry.kind === 'row').map(([key, entry]) => [key, entry.payload] as const).sort(([a], [b]) => a < b ? -1 : 1))
}
