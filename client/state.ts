/**
 * The store in memory. It changes only by commits, the same ones that are stored and that other tabs are told of, so
 * memory, disk and every tab go through the same states.
 */
import { createListeners } from './listeners.ts'
import { deepFreeze } from './shape.ts'
import { createOutbox, keyOf, type Outbox } from './outbox.ts'
import type { Stored } from './storage/types.ts'
import { createTable, pickWinner, type TableState } from './table.ts'
import type { Commit, EntriesByTable, Entry, FailureRecord, Meta, Segment } from './types.ts'

export interface State {
  readonly meta: Meta
  readonly nodes: ReadonlySet<string>
  readonly outbox: Outbox
  readonly failures: ReadonlyMap<string, FailureRecord>
  /** How many entries of each segment count still, of how many stored. */
  readonly segments: ReadonlyMap<number, { table: string, live: number, stored: number }>
  readonly tailSize: number
  /** Another tab has moved entries between segments: load again before folding. */
  readonly isFoldingStale: boolean
  table(name: string): TableState
  tables(): Iterable<TableState>
  apply(commit: Commit, isSaved: boolean): void
  /** Takes the place of everything by a whole snapshot, as a commit with `isSwap` does on disk. */
  swap(segments: readonly Segment[], commit: Commit): void
  /** Starts over from what is stored. */
  load(stored: Stored): void
  markFolded(): void
  /** Calls `listener` after each change. */
  subscribe(listener: () => void): () => void
}

/** Creates the state of an empty store. */
export function createState(initial: Meta): State {
  const tables = new Map<string, TableState>()
  const outbox = createOutbox()
  const failures = new Map<string, FailureRecord>()
  const nodes = new Set<string>()
  const segments = new Map<number, { table: string, live: number, stored: number }>()
  const listeners = createListeners()
  const meta = { ...initial }
  let tailSize = 0
  let isFoldingStale = false

  const table = (name: string): TableState => {
    const known = tables.get(name)
    if (known) return known
    const made = createTable(name)
    tables.set(name, made)
    return made
  }

  const flush = () => {
    for (const one of tables.values()) one.flush()
    listeners.tell()
  }
  const cover = (name: string, pk: string) => table(name).cover(pk, outbox.ofKey(keyOf(name, pk)))
  const move = (entry: Entry, seg: number) => {
    count(entry.seg, -1)
    entry.seg = seg
    count(seg, 1)
  }
  const count = (seg: number, by: number) => {
    const segment = segments.get(seg)
    if (segment) segment.live += by
    else tailSize += by
  }
  const confirm = (name: string, entry: Entry) => {
    const held = table(name).confirmed.get(entry.pk)
    if (held) count(held.seg, -1)
    count(entry.seg = 0, 1)
    if (entry.row) deepFreeze(entry.row)
    table(name).confirm(entry)
    cover(name, entry.pk)
  }
  const applyOps = ({ putOps = [], dropOps = [] }: Commit, isSaved: boolean) => {
    for (const opId of dropOps) {
      const item = outbox.drop(opId)
      if (item) cover(item.op.tableName, item.op.pk)
    }
    for (const item of putOps) {
      const { tableName, pk, payload } = item.op
      if (payload) deepFreeze(payload)
      outbox.add(keyOf(tableName, pk), item)
      if (isSaved) outbox.markSaved(item.opId)
      cover(tableName, pk)
    }
  }
  const applyFold = ({ segments: made, dropSegments }: NonNullable<Commit['fold']>) => {
    for (const { id, table, entries } of made) {
      segments.set(id, { table, live: 0, stored: entries.length })
      entries.forEach(entry => move(entry, id))
    }
    dropSegments.forEach(id => segments.delete(id))
  }
  const replaceRows = (made: readonly Segment[], tail: EntriesByTable) => {
    segments.clear()
    tailSize = 0
    const fresh = new Map([...tables.keys()].map(name => [name, new Map<string, Entry>()]))
    const place = (name: string, entries: readonly Entry[], seg: number) => {
      const rows = fresh.get(name) ?? new Map<string, Entry>()
      fresh.set(name, rows)
      let placed = 0
      for (const entry of entries) {
        const held = rows.get(entry.pk)
        if (held && pickWinner(held, entry) === held) continue
        if (held) count(held.seg, -1)
        placed++
        entry.seg = seg
        if (entry.row) deepFreeze(entry.row)
        rows.set(entry.pk, entry)
      }
      count(seg, placed)
    }
    for (const { id, table, entries } of made) {
      segments.set(id, { table, live: 0, stored: entries.length })
      place(table, entries, id)
    }
    for (const [name, entries] of Object.entries(tail)) place(name, entries, 0)
    for (const [name, rows] of fresh) table(name).replace(rows)
  }
  const applyRest = (commit: Commit, isSaved: boolean) => {
    Object.assign(meta, commit.meta)
    if (commit.node) nodes.add(commit.node)
    applyOps(commit, isSaved)
    commit.dropFailures?.forEach(opId => failures.delete(opId))
    commit.putFailures?.forEach(failure => failures.set(failure.opId, failure))
  }

  return {
    meta, nodes, outbox, failures, segments, table,
    get tailSize() {
      return tailSize
    },
    get isFoldingStale() {
      return isFoldingStale
    },
    tables: () => tables.values(),
    apply(commit, isSaved) {
      for (const [name, entries] of Object.entries(commit.entries ?? {})) {
        for (const entry of entries) confirm(name, entry)
      }
      if (commit.fold) applyFold(commit.fold)
      applyRest(commit, isSaved)
      flush()
    },
    swap(made, commit) {
      replaceRows(made, {})
      applyRest(commit, true)
      for (const { op } of outbox.items) cover(op.tableName, op.pk)
      flush()
    },
    load(stored) {
      Object.assign(meta, stored.meta)
      isFoldingStale = false
      replaceRows(stored.segments, stored.tail)
      nodes.clear()
      stored.nodes.forEach(node => nodes.add(node))
      failures.clear()
      stored.failures.forEach(failure => failures.set(failure.opId, failure))
      outbox.clear()
      const putOps = stored.ops.sort((a, b) => a.order - b.order || (a.opId < b.opId ? -1 : 1))
      applyOps({ putOps }, true)
      flush()
    },
    markFolded() {
      isFoldingStale = true
    },
    subscribe: listeners.add,
  }
}
