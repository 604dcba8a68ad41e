/** Rows by the order that decides them: clock, then hlc, then opId. What both kinds of devices, and the judge, compare. */
import type { PendingOp, Revision, SnapshotItem, SyncChange, SyncOperation } from '../../../shared/protocol.ts'

/** What a device knows of a key. */
export interface Entry { op: SyncOperation, payload?: unknown, revision: Revision }

export type Rows = Map<string, Entry>

export function keyOf({ tableName, pk }: { tableName: string, pk: string }): string {
  return `${tableName}/${pk}`
}

export function revisionOf({ stamp: { clock, hlc, opId } }: Pick<SyncChange, 'stamp'>): Revision {
  return { clock, hlc, opId }
}

/** Stamps are ASCII here, so that UTF-16 units and code points have one order. */
export function isGreater(a: Revision, b: Revision): boolean {
  if (a.clock !== b.clock) return a.clock > b.clock
  return a.hlc === b.hlc ? a.opId > b.opId : a.hlc > b.hlc
}

export function entryOf(change: SyncChange | PendingOp): Entry {
  const op = 'operation' in change ? change.operation : change.op
  return { op, payload: op === 'put' ? change.payload : undefined, revision: revisionOf(change) }
}

/** Takes `entry` over where it is greater. */
export function merge(rows: Rows, key: string, entry: Entry): void {
  const known = rows.get(key)
  if (!known || isGreater(entry.revision, known.revision)) rows.set(key, entry)
}

export function rowsOfSnapshot(items: readonly SnapshotItem[]): Rows {
  return new Map(items.map(item => [keyOf(item), item.kind === 'row'
    ? { op: 'put', payload: item.payload, revision: item.revision }
    : { op: 'delete', revision: item.revision }]))
}

/** What the device's user sees, in one order. */
export function liveRows(rows: Rows): [string, unknown][] {
  return [...rows].filter(([, { op }]) => op === 'put').map(([key, { payload }]): [string, unknown] => [key, payload])
    .sort(([a], [b]) => a < b ? -1 : 1)
}
