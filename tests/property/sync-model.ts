/**
 * What a workspace must answer, as plain maps without a database: written from SPEC.md, not from the code. It holds no
 * idea of transactions, statements or pages of a file; what it says of an answer is compared with the real one.
 */
import type {
  PendingOp, PullResponse, PushResultItem, Revision, SnapshotItem, SyncChange,
} from '../../shared/protocol.ts'

/** A cursor that moved no more counts for two years (SPEC.md). */
const cursorLifeSeconds = 2 * 365 * 86_400

interface Logged {
  version: number
  op: PendingOp
  owner: string | null
  at: number
  /** The version this op made obsolete: its own where it lost. */
  obsoletes: number | null
}

interface Record { winner: Logged, touched: Logged }

export interface WorkspaceModel {
  head: number
  horizon: number
  cleaned: number
  log: Map<number, Logged>
  records: Map<string, Record>
  cursors: Map<string, { user: string, cursor: number, at: number }>
  /** Devices of which a put was held back, by user and device. */
  holds: Map<string, { horizon: number, at: number, released: boolean }>
}

export function createWorkspaceModel(): WorkspaceModel {
  return { head: 0, horizon: 0, cleaned: 0, log: new Map(), records: new Map(), cursors: new Map(), holds: new Map() }
}

export function keyOf({ tableName, pk }: { tableName: string, pk: string }): string {
  return `${tableName}/${pk}`
}

/** By clock, then hlc, then op id; UTF-8 bytes sort like code points. */
export function isGreater(a: Revision, b: Revision): boolean {
  if (a.clock !== b.clock) return a.clock > b.clock
  return (compareBytes(a.hlc, b.hlc) || compareBytes(a.opId, b.opId)) > 0
}

function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

export function revisionOf({ stamp: { clock, hlc, opId } }: PendingOp): Revision {
  return { clock, hlc, opId }
}

/** What a receipt must say; `winner` only as its revision. */
export type ExpectedReceipt = Pick<PushResultItem, 'opId' | 'success' | 'serverVersion' | 'applied' | 'replayed' | 'errorCode'> & { winner?: Revision }

export function pushModel(model: WorkspaceModel, user: string, ops: readonly PendingOp[], now: number): ExpectedReceipt[] {
  const contents = Map.groupBy(ops, op => op.stamp.opId)
  const logged = () => [...model.log.values()]
  const before = new Set(logged().map(one => one.op.stamp.opId))
  return ops.map((op) => {
    const { opId, deviceId } = op.stamp
    const refuse = (errorCode: NonNullable<PushResultItem['errorCode']>): ExpectedReceipt => ({ opId, success: false, errorCode })
    const record = model.records.get(keyOf(op))
    if (record?.winner.owner && record.winner.owner !== user) return refuse('UNAUTHORIZED')
    const earlier = logged().find(one => one.op.stamp.opId === opId)
    const isAmbiguous = !before.has(opId) && contents.get(opId)!.some(other => contentOf(other) !== contentOf(op))
    if (isAmbiguous || (earlier && contentOf(earlier.op) !== contentOf(op))) return refuse('CONFLICT')
    if (earlier) {
      const applied = record?.winner === earlier
      return { opId, success: true, serverVersion: earlier.version, replayed: true, applied, ...applied || !record ? {} : { winner: revisionOf(record.winner.op) } }
    }
    if (!record && op.operation === 'put' && isHeld(model, user, deviceId, now)) return refuse('RATE_LIMITED')

    const applied = !record || isGreater(revisionOf(op), revisionOf(record.winner.op))
    const version = ++model.head
    const owner = record?.winner.owner ?? (op.tableName === 'notifications' ? user : null)
    const entry: Logged = { version, op, owner, at: now, obsoletes: applied ? record?.winner.version ?? null : version }
    model.log.set(version, entry)
    model.records.set(keyOf(op), { winner: applied ? entry : record!.winner, touched: entry })
    return { opId, success: true, serverVersion: version, applied, ...applied ? {} : { winner: revisionOf(record!.winner.op) } }
  })
}

function contentOf({ tableName, pk, operation, payload, stamp }: PendingOp): string {
  return JSON.stringify([tableName, pk, operation, payload, stamp])
}

/** A put of an unknown key waits where its device is behind the horizon and was not told since. */
function isHeld(model: WorkspaceModel, user: string, deviceId: string, now: number): boolean {
  const device = model.cursors.get(deviceId)
  if (!device || device.cursor >= model.horizon) return false
  const name = `${user}/${deviceId}`
  const hold = model.holds.get(name)
  if (hold?.released && hold.horizon >= model.horizon) return false
  if (!hold || hold.horizon < model.horizon) model.holds.set(name, { horizon: model.horizon, at: now, released: false })
  return true
}

export function pullModel(model: WorkspaceModel, user: string, request: { cursor: number, limit: number, tables?: readonly string[] | undefined }, now: number): PullResponse {
  const { cursor, limit, tables } = request
  const told = cursor < model.horizon
  for (const [name, hold] of model.holds) {
    if ((told || now - hold.at >= 10) && name.startsWith(`${user}/`)) hold.released = true
  }
  const visible = [...model.log.values()].filter(one => one.version > cursor && isVisible(one, user) && (!tables || tables.includes(one.op.tableName)))
  const page = visible.slice(0, limit)
  const hasMore = visible.length > limit
  const isSuperseded = ({ op }: Logged) =>
    page.some(other => keyOf(other.op) === keyOf(op) && isGreater(revisionOf(other.op), revisionOf(op)))
  return {
    changes: page.filter(one => !isSuperseded(one)).map(toChange),
    nextCursor: hasMore ? page.at(-1)!.version : Math.max(cursor, model.head),
    hasMore,
    oldestRetainedVersion: model.horizon + 1,
    requiresSnapshot: told || cursor > model.head,
  }
}

function isVisible({ owner }: Logged, user: string): boolean {
  return owner === null || owner === user
}

function toChange({ version, op: { tableName, pk, operation, payload, stamp } }: Logged): SyncChange {
  return { serverVersion: version, tableName, pk, op: operation, ...payload === undefined ? {} : { payload }, stamp }
}

/** The rows and tombstones now, in the order of a snapshot. */
export function snapshotModel(model: WorkspaceModel, user: string): SnapshotItem[] {
  return [...model.records.values()].filter(record => isVisible(record.winner, user)).map(({ winner: { op, at } }): SnapshotItem => op.operation === 'put'
    ? { kind: 'row', tableName: op.tableName, pk: op.pk, payload: op.payload, revision: revisionOf(op) }
    : { kind: 'tombstone', tableName: op.tableName, pk: op.pk, revision: revisionOf(op), serverDeletedAt: at })
    .sort((a, b) => compareBytes(a.tableName, b.tableName) || compareBytes(a.pk, b.pk))
}

/** Reads the log on until something is young or ahead of a living device; what was made obsolete up to there goes. */
export function cleanUpModel(model: WorkspaceModel, retentionSeconds: number, tombstonesToo: boolean, now: number): void {
  const cutoff = now - retentionSeconds
  for (const [deviceId, { user, at }] of model.cursors) {
    if (at >= now - cursorLifeSeconds) continue
    model.cursors.delete(deviceId)
    model.holds.delete(`${user}/${deviceId}`)
  }
  const slowest = Math.min(...[...model.cursors.values()].filter(device => device.at >= cutoff).map(device => device.cursor), Infinity)
  const read = [...model.log.values()].filter(one => one.version > model.cleaned && one.version <= slowest)
  for (const one of read) {
    if (one.at >= cutoff) break
    model.cleaned = one.version
    if (one.obsoletes !== null) model.log.delete(one.obsoletes)
  }
  if (!tombstonesToo) return
  for (const [key, { winner, touched }] of model.records) {
    if (winner.op.operation === 'put' || touched.at >= cutoff || touched.version > Math.min(model.cleaned, slowest)) continue
    model.records.delete(key)
    model.log.delete(winner.version)
    model.horizon = Math.max(model.horizon, winner.version)
  }
}
