/**
 * A device of February 2026, with its known faults: it judges each change of a page against the rows as they were
 * before the page, deletes before puts, and a tombstone blocks a put of an equal clock. A page brings one change of a
 * key, so that only the last fault can still show. The device also keeps `seen`: the rows that it would show if it
 * resolved all it was given by the protocol's order. Where the two differ, the key is noted in `misled`; any other
 * reason to differ is an error of this model, or of the server.
 */
import type { Revision, SyncChange, SyncOperation } from '../../../shared/protocol.ts'
import { tableNames } from '../../helpers/sync.ts'
import { createDeviceBase, cursorAgeMs, type DeviceOptions, type TableName } from './device.ts'
import { type Entry, entryOf, keyOf, merge, type Rows } from './rows.ts'

export interface FebruaryOptions extends DeviceOptions {
  /** The changes of a page: 300 in a bootstrap, 100 in a poll, as the host's client asks for. */
  bootstrapLimit?: number
  pollLimit?: number
  /** Notes in `misled` also a key that had several changes in one page, which is an error otherwise. */
  expectsHistory?: boolean
}

export type FebruaryDevice = ReturnType<typeof createFebruaryDevice>

export function createFebruaryDevice(options: FebruaryOptions) {
  const { bootstrapLimit = 300, pollLimit = 100, expectsHistory = false } = options
  const base = createDeviceBase(options)
  const { now, outbox } = base
  const rows: Rows = new Map()
  const tombstones = new Map<string, Revision>()
  const seen: Rows = new Map()
  const misled = new Set<string>()
  const ownOpIds = new Set<string>()
  let cursor = 0
  let polledAt = 0
  let rescans = 0

  function write(tableName: TableName, pk: string, operation: SyncOperation) {
    const key = keyOf({ tableName, pk })
    const op = base.write(tableName, pk, operation, rows.get(key)?.revision.clock ?? 0)
    setLocally(key, entryOf(op))
    merge(seen, key, entryOf(op))
  }

  function setLocally(key: string, entry: Entry) {
    rows.set(key, entry)
    if (entry.op === 'delete') tombstones.set(key, entry.revision)
    else tombstones.delete(key)
  }

  /** Only clock and hlc count, and of a put also the tombstone. */
  function isTaken(key: string, { op, revision }: Entry): boolean {
    const tombstone = tombstones.get(key)
    if (op === 'put' && tombstone && tombstone.clock >= revision.clock) return false
    const known = rows.get(key)?.revision
    return !known || revision.clock > known.clock || (revision.clock === known.clock && revision.hlc > known.hlc)
  }

  function applyPage(changes: readonly SyncChange[]) {
    const foreign = changes.filter(change => !ownOpIds.has(change.stamp.opId)).map(change => ({ key: keyOf(change), entry: entryOf(change) }))
    const blocked = foreign.filter(({ key, entry }) => entry.op === 'put' && tombstones.get(key)?.clock === entry.revision.clock)
    const taken = foreign.filter(({ key, entry }) => isTaken(key, entry))
    for (const op of ['delete', 'put'] as const) {
      for (const { key, entry } of taken) if (entry.op === op) setLocally(key, entry)
    }
    for (const { key, entry } of foreign) merge(seen, key, entry)
    for (const { key } of foreign) {
      if (misled.has(key) || isSame(rows.get(key), seen.get(key))) continue
      const mayBeMisled = expectsHistory || blocked.some(one => one.key === key)
      if (!mayBeMisled) throw new Error(`${base.id} was misled about ${key} by more than a tombstone of an equal clock`)
      misled.add(key)
    }
  }

  /** Moves only when something was delivered. */
  async function moveCursor(changes: readonly SyncChange[]) {
    if (changes.length === 0) return
    cursor = Math.max(cursor, changes.at(-1)!.serverVersion)
    await base.reportCursor(cursor)
  }

  /** From 0 with all tables; what is not pushed yet is put on top again. True where it came to the end. */
  async function bootstrap(): Promise<boolean> {
    const all: SyncChange[] = []
    for (let at = 0, hasMore = true; hasMore;) {
      const page = await base.readPage(at, bootstrapLimit, tableNames)
      if (!page) return false
      if (page.hasMore && page.nextCursor <= at) throw new Error(`The bootstrap stands still at ${at}`)
      applyPage(page.changes)
      all.push(...page.changes)
      ;({ nextCursor: at, hasMore } = page)
    }
    for (const op of outbox.pending) if (isTaken(keyOf(op), entryOf(op))) setLocally(keyOf(op), entryOf(op))
    await moveCursor(all)
    return true
  }

  /** Every batch is asked for once more, from before it where versions are missing. */
  async function poll(): Promise<boolean> {
    for (let mayDrain = true, at = cursor; ;) {
      const page = await base.readPage(at, pollLimit)
      if (!page) return false
      applyPage(page.changes)
      const hasGap = page.changes.length > 0 && page.changes[0]!.serverVersion > at + 1
      const before = at
      await moveCursor(page.changes)
      if (!page.hasMore && (page.changes.length === 0 || !mayDrain)) return true
      mayDrain = page.hasMore
      at = hasGap && !page.hasMore ? before : cursor
    }
  }

  return {
    ...base, rows, seen, misled, write,
    get cursor() {
      return cursor
    },
    get rescans() {
      return rescans
    },

    /** What it does in the background when its moment has come. */
    async sync() {
      await base.cleanUp()
      for (const op of await base.push()) ownOpIds.add(op.stamp.opId)
      const isOld = now() - polledAt > cursorAgeMs
      if (isOld && cursor > 0) rescans++
      if (await (isOld ? bootstrap() : poll())) polledAt = now()
    },
  }
}

function isSame(a: Entry | undefined, b: Entry | undefined): boolean {
  return a?.revision.opId === b?.revision.opId
}
