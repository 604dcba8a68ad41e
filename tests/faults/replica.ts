/** A device that also reads: it keeps a revision per key, and takes a snapshot where it is told to. */
import { call, type Device, pullOnce } from './devices.ts'
import type { PendingOp, Revision, SnapshotResponse } from '../../shared/protocol.ts'

export interface Replica extends Device {
  cursor: number
  /** The live rows and the deleted keys. */
  rows: Map<string, { revision: Revision, payload: string | null }>
}

export function createReplica(device: Device): Replica {
  return { ...device, cursor: 0, rows: new Map() }
}

/** Page by page to the head, and says so. True where it was told to take a snapshot; the control goes on from the head without. */
export async function catchUp(url: string, replica: Replica, { ignoreSnapshot = false } = {}): Promise<boolean> {
  let told = false
  for (;;) {
    const page = await pullOnce(url, replica, replica.cursor)
    if (page.requiresSnapshot) {
      if (told) throw new Error('A snapshot did not help.')
      told = true
      if (ignoreSnapshot) return false
      await takeSnapshot(url, replica)
      continue
    }
    for (const { pk, op, payload, stamp } of page.changes) apply(replica, pk, stamp, op === 'put' ? JSON.stringify(payload) : null)
    replica.cursor = page.nextCursor
    if (page.hasMore) continue
    const { workspaceId, deviceId, cursor: version } = replica
    await call(url, replica.user, '/api/sync/update-cursor', { scope: { workspaceId }, deviceId, version })
    return told
  }
}

export async function takeSnapshot(url: string, replica: Replica) {
  replica.rows.clear()
  for (let pageToken: string | undefined; ;) {
    const body = { scope: { workspaceId: replica.workspaceId }, pageSize: 500, pageToken }
    const page = await call<SnapshotResponse>(url, replica.user, '/api/sync/snapshot', body)
    for (const item of page.items) apply(replica, item.pk, item.revision, item.kind === 'row' ? JSON.stringify(item.payload) : null)
    replica.cursor = page.highWatermark
    if (page.nextPageToken === null) return
    pageToken = page.nextPageToken
  }
}

/** Applies an op of its own, as a device does before it is pushed. */
export function applyOwn(replica: Replica, { pk, stamp, operation, payload }: PendingOp) {
  apply(replica, pk, stamp, operation === 'put' ? JSON.stringify(payload) : null)
}

export function liveRows({ rows }: Replica): string {
  return JSON.stringify([...rows].flatMap(([pk, { payload }]) => payload === null ? [] : [[pk, payload]]).sort())
}

function apply({ rows }: Replica, pk: string, { clock, hlc, opId }: Revision, payload: string | null) {
  const known = rows.get(pk)?.revision
  const newer = !known || clock > known.clock
    || (clock === known.clock && (hlc > known.hlc || (hlc === known.hlc && opId > known.opId)))
  if (newer) rows.set(pk, { revision: { clock, hlc, opId }, payload })
}
