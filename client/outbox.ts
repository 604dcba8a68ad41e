/**
 * The ops that the server has not answered, oldest first, by id and by key: adding one, finding what it replaces and
 * taking a batch cost the same however many wait.
 */
import type { OutboxItem } from './types.ts'

export interface Outbox {
  readonly size: number
  readonly items: Iterable<OutboxItem>
  has(opId: string): boolean
  ofKey(key: string): readonly OutboxItem[]
  nextOrder(): number
  add(key: string, item: OutboxItem): void
  /** The item that was taken out. */
  drop(opId: string): OutboxItem | undefined
  clear(): void
  /** A write is pushed only once it is stored. */
  markSaved(opId: string): void
  /** An op that is to wait until `at`, in epoch milliseconds. */
  postpone(opId: string, at: number): void
  /** The oldest ops that may be pushed now, within a batch's size, without those of `tried`. */
  nextBatch(now: number, tried: ReadonlySet<string>): OutboxItem[]
  /** When the first postponed op is due. */
  nextDueAt(): number | undefined
}

/** A host takes 100 ops and 2 MiB. */
const maxBatchOps = 50
const maxBatchBytes = 1_000_000

/** The key of a row among all tables. No table name of the protocol holds a NUL. */
export function keyOf(table: string, pk: string): string {
  return `${table}\0${pk}`
}

/** Creates an empty outbox. */
export function createOutbox(): Outbox {
  const items = new Map<string, { item: OutboxItem, key: string }>()
  const keys = new Map<string, OutboxItem[]>()
  const unsaved = new Set<string>()
  const postponed = new Map<string, number>()
  let last = 0

  return {
    get size() {
      return items.size
    },
    get items() {
      return Array.from(items.values(), ({ item }) => item)
    },
    has: opId => items.has(opId),
    ofKey: key => keys.get(key) ?? [],
    nextOrder: () => last + 1,
    add(key, item) {
      if (items.has(item.opId)) return
      items.set(item.opId, { item, key })
      const ofKey = keys.get(key)
      if (ofKey) ofKey.push(item)
      else keys.set(key, [item])
      unsaved.add(item.opId)
      last = Math.max(last, item.order)
    },
    drop(opId) {
      const held = items.get(opId)
      if (!held) return undefined
      items.delete(opId)
      unsaved.delete(opId)
      postponed.delete(opId)
      const left = keys.get(held.key)!.filter(item => item !== held.item)
      if (left.length > 0) keys.set(held.key, left)
      else keys.delete(held.key)
      return held.item
    },
    clear() {
      for (const map of [items, keys, unsaved, postponed]) map.clear()
    },
    markSaved: opId => void unsaved.delete(opId),
    postpone: (opId, at) => void (items.has(opId) && postponed.set(opId, at)),
    nextBatch(now, tried) {
      const batch: OutboxItem[] = []
      let bytes = 0
      for (const [opId, { item }] of items) {
        if (tried.has(opId) || unsaved.has(opId) || (postponed.get(opId) ?? 0) > now) continue
        bytes += measure(item)
        if (batch.length > 0 && bytes > maxBatchBytes) break
        batch.push(item)
        if (batch.length === maxBatchOps) break
      }
      return batch
    },
    nextDueAt: () => postponed.size > 0 ? Math.min(...postponed.values()) : undefined,
  }
}

function measure({ op }: OutboxItem): number {
  return new TextEncoder().encode(JSON.stringify(op)).length
}
