/**
 * One table in memory: what the server has confirmed, the ops that wait laid over it, and who follows it.
 * Changes are collected and told together, so that a page of changes moves each list once.
 */
import type { JsonObject, PendingOp } from '../shared/protocol.ts'
import { compareRevisions } from '../shared/revision.ts'
import type { SyncedTable } from '../shared/synced-table.ts'
import { createList, type List, type ListOptions, type LiveList, type RowChange } from './list.ts'
import { callSafely, createListeners } from './listeners.ts'
import { isHiddenRow, presentRow } from './shape.ts'
import type { Entry, OutboxItem } from './types.ts'

export interface TableState {
  readonly name: string
  readonly definition: SyncedTable | undefined
  /** Makes the table known. Throws an `Error` where another version of it is known already. */
  define(definition: SyncedTable): void
  readonly confirmed: ReadonlyMap<string, Entry>
  /** The entry that counts now: confirmed, or of an op that waits. */
  current(pk: string): Entry | undefined
  isPending(pk: string): boolean
  /** The row for the app. */
  get(pk: string): JsonObject | undefined
  isHidden(pk: string): boolean
  rows(): JsonObject[]
  entries(): Iterable<Entry>
  confirm(entry: Entry): void
  /** Lays the ops that wait for `pk` over what is confirmed. */
  cover(pk: string, ops: readonly OutboxItem[]): void
  /** Replaces everything; ops have to be laid over it again. */
  replace(confirmed: Map<string, Entry>): void
  list(options: ListOptions<JsonObject>): List<JsonObject>
  lookup(field: string, value: unknown): readonly JsonObject[]
  subscribe(listener: () => void): () => void
  /** Tells lists and listeners what has changed since the last time. */
  flush(): void
}

/** Creates an empty table. Until it is defined, its rows are kept for an app that knows it. */
export function createTable(name: string): TableState {
  let definition: SyncedTable | undefined
  let confirmed = new Map<string, Entry>()
  const over = new Map<string, Entry>()
  const lists = new Set<LiveList>()
  const listeners = createListeners()
  const indexes = new Map<string, Map<unknown, Map<string, JsonObject>>>()
  const found = new Map<string, Map<unknown, readonly JsonObject[]>>()
  /** The rows before the changes that were not told yet. */
  const before = new Map<string, JsonObject | undefined>()
  let isReplaced = false

  const current = (pk: string) => over.get(pk) ?? confirmed.get(pk)
  const get = (pk: string) => presentRow(definition, current(pk)?.row)
  const note = (pk: string) => {
    if (!isReplaced && !before.has(pk)) before.set(pk, get(pk))
  }
  function* entries(): Iterable<Entry> {
    for (const [pk, entry] of confirmed) yield over.get(pk) ?? entry
    for (const [pk, entry] of over) if (!confirmed.has(pk)) yield entry
  }
  const rows = (): JsonObject[] => {
    const all: JsonObject[] = []
    const add = (entry: Entry) => {
      const row = presentRow(definition, entry.row)
      if (row) all.push(row)
    }
    // A start goes through here with all rows: without a generator, and with a look-up only where something waits.
    if (over.size === 0) for (const entry of confirmed.values()) add(entry)
    else for (const entry of entries()) add(entry)
    return all
  }
  const takeChanges = (): LiveList[] => {
    const changes: RowChange[] = []
    for (const [pk, row] of before) {
      const after = get(pk)
      if (after !== row) changes.push({ pk, before: row, after })
    }
    before.clear()
    if (changes.length === 0) return []
    for (const [field, index] of indexes) changes.forEach(change => reindex(field, index, change))
    return [...lists].filter((list) => {
      let isChanged = false
      // A filter or an order of the app that throws must not keep the change from other lists.
      callSafely(() => isChanged = list.take(changes))
      return isChanged
    })
  }
  const reindex = (field: string, index: Map<unknown, Map<string, JsonObject>>, { pk, before, after }: RowChange) => {
    if (before) index.get(before[field])?.delete(pk)
    if (after) placeIn(index, after[field], pk, after)
    for (const row of [before, after]) if (row) found.get(field)?.delete(row[field])
  }
  const indexOf = (field: string) => {
    const known = indexes.get(field)
    if (known) return known
    const index = new Map<unknown, Map<string, JsonObject>>()
    for (const row of rows()) placeIn(index, row[field], row[definition!.primaryKey] as string, row)
    indexes.set(field, index)
    found.set(field, new Map())
    return index
  }

  return {
    name,
    get definition() {
      return definition
    },
    define(known) {
      if (definition && definition.version !== known.version) {
        throw new Error(`The synced table "${name}" is defined twice, in two versions.`)
      }
      definition ??= known
    },
    get confirmed() {
      return confirmed
    },
    current,
    get,
    rows,
    entries,
    isPending: pk => over.has(pk),
    isHidden: pk => isHiddenRow(definition, current(pk)?.row),
    confirm(entry) {
      note(entry.pk)
      confirmed.set(entry.pk, entry)
    },
    cover(pk, ops) {
      note(pk)
      const base = confirmed.get(pk)
      const top = ops.reduce((held, { op }) => pickWinner(held, describeOp(op)), base)
      if (top && top !== base) over.set(pk, top)
      else over.delete(pk)
    },
    replace(entries) {
      confirmed = entries
      over.clear()
      before.clear()
      isReplaced = true
    },
    list(options) {
      const list = createList(rows(), options, definition?.primaryKey ?? 'id', closed => lists.delete(closed))
      lists.add(list)
      return list
    },
    lookup(field, value) {
      if (!definition?.indexes.includes(field)) throw new Error(`The table "${name}" has no index on "${field}".`)
      const index = indexOf(field)
      const answers = found.get(field)!
      let rows = answers.get(value)
      if (!rows) answers.set(value, rows = Object.freeze([...index.get(value)?.values() ?? []]))
      return rows
    },
    subscribe: listeners.add,
    flush() {
      if (!isReplaced && before.size === 0) return
      const changed = isReplaced ? [...lists] : takeChanges()
      if (isReplaced) {
        isReplaced = false
        indexes.clear()
        found.clear()
        lists.forEach(list => callSafely(() => list.reset(rows())))
      }
      else if (changed.length === 0 && lists.size === 0 && listeners.size === 0) return
      changed.forEach(list => list.notify())
      listeners.tell()
    },
  }
}

function placeIn(index: Map<unknown, Map<string, JsonObject>>, value: unknown, pk: string, row: JsonObject): void {
  const held = index.get(value)
  if (held) held.set(pk, row)
  else index.set(value, new Map([[pk, row]]))
}

/** The newcomer wins a draw: it is the same op coming back from the server, whose copy counts. */
export function pickWinner(held: Entry | undefined, entry: Entry): Entry {
  return held && compareRevisions(entry, held) < 0 ? held : entry
}

/** What an op makes of its key. */
export function describeOp(
  { pk, operation, payload, stamp }: Pick<PendingOp, 'pk' | 'operation' | 'payload' | 'stamp'>, at?: number,
): Entry {
  const { clock, hlc, opId, deviceId: by } = stamp
  return { pk, clock, hlc, opId, by, at, row: operation === 'put' ? payload as JsonObject ?? {} : undefined, seg: 0 }
}
