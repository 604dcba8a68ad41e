/**
 * What a replica shows: the state the server has confirmed, with the ops of the outbox applied on top.
 * An op that leaves the outbox without success takes its effect with it; confirmed state only moves by revision.
 */
import { compareRevisions } from './revision.ts'
import type { Entry, Row } from './types.ts'
import type { PendingOp, SnapshotItem, SyncChange } from './wire.ts'

export interface Entries {
  get(tableName: string, pk: string): Entry | undefined
  isPending(tableName: string, pk: string): boolean
  all(): Entry[]
  /** The live rows of a table; the same array until something changes. */
  rows(tableName: string): Row[]
  confirmed(): Entry[]
  confirm(entry: Entry): void
  replaceConfirmed(entries: Iterable<Entry>): void
  addPending(op: PendingOp): void
  dropPending(op: PendingOp): void
}

export function createEntries(): Entries {
  const confirmed = new Map<string, Entry>()
  const overlay = new Map<string, Entry>()
  const waiting = new Map<string, PendingOp[]>()
  const listed = new Map<string, Row[]>()

  const recompute = (key: string): void => {
    const ops = waiting.get(key) ?? []
    const base = confirmed.get(key)
    const top = ops.reduce((entry: Entry | undefined, op) => pickWinner(entry, describeOp(op)), base)
    if (top && top !== base) overlay.set(key, top)
    else overlay.delete(key)
    listed.clear()
  }

  const merged = (): Entry[] => {
    const both = new Map(confirmed)
    for (const [key, entry] of overlay) both.set(key, entry)
    return [...both.values()]
  }

  return {
    get: (tableName, pk) => overlay.get(keyOf(tableName, pk)) ?? confirmed.get(keyOf(tableName, pk)),
    isPending: (tableName, pk) => overlay.has(keyOf(tableName, pk)),
    all: merged,
    rows(tableName) {
      const known = listed.get(tableName)
      if (known) return known
      const rows = merged().filter((entry): entry is Row => entry.tableName === tableName && isRow(entry))
      listed.set(tableName, rows)
      return rows
    },
    confirmed: () => [...confirmed.values()],
    confirm(entry) {
      const key = keyOf(entry.tableName, entry.pk)
      const held = confirmed.get(key)
      confirmed.set(key, held ? pickWinner(held, entry) : entry)
      recompute(key)
    },
    replaceConfirmed(entries) {
      confirmed.clear()
      for (const entry of entries) confirmed.set(keyOf(entry.tableName, entry.pk), entry)
      for (const key of waiting.keys()) recompute(key)
      listed.clear()
    },
    addPending(op) {
      const key = keyOf(op.tableName, op.pk)
      waiting.set(key, [...(waiting.get(key) ?? []), op])
      recompute(key)
    },
    dropPending(op) {
      const key = keyOf(op.tableName, op.pk)
      const left = (waiting.get(key) ?? []).filter(other => other.stamp.opId !== op.stamp.opId)
      if (left.length > 0) waiting.set(key, left)
      else waiting.delete(key)
      recompute(key)
    },
  }
}

/** The newcomer wins a draw: it is the same op coming back from the server, whose copy counts. */
function pickWinner(held: Entry | undefined, entry: Entry): Entry {
  if (!held) return entry
  const order = compareRevisions(entry.revision, held.revision)
  if (order < 0) return held
  return order > 0 ? entry : { ...entry, serverVersion: entry.serverVersion ?? held.serverVersion }
}

/** No table name or key of the protocol holds a NUL. */
function keyOf(tableName: string, pk: string): string {
  return `${tableName}\0${pk}`
}

export function isRow(entry: Entry): entry is Row {
  return entry.payload !== undefined
}

export function describeOp(op: PendingOp, serverVersion?: number): Entry {
  return {
    tableName: op.tableName,
    pk: op.pk,
    revision: { ...op.stamp },
    payload: op.operation === 'put' ? (op.payload ?? {}) : undefined,
    serverVersion,
  }
}

export function describeChange(change: SyncChange): Entry {
  return {
    tableName: change.tableName,
    pk: change.pk,
    revision: { ...change.stamp },
    payload: change.op === 'put' ? (change.payload ?? {}) : undefined,
    serverVersion: change.serverVersion,
  }
}

export function describeSnapshotItem(item: SnapshotItem): Entry {
  return {
    tableName: item.tableName,
    pk: item.pk,
    revision: { ...item.revision },
    payload: item.kind === 'row' ? item.payload : undefined,
  }
}
