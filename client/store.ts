/**
 * One user's rows of one workspace in this tab: reads and writes at once, offline too, kept equal to the other tabs, the
 * disk and the server. Upholds P12.
 */
import { createHybridClock, createNode } from '../shared/hlc.ts'
import { maxClock } from '../shared/limits.ts'
import type { JsonObject, PendingOp } from '../shared/protocol.ts'
import type { RowOf, SyncedTable } from '../shared/synced-table.ts'
import { createUuid } from '../shared/uuid.ts'
import { keyOf } from './outbox.ts'
import { completeRow, deepFreeze, migratePayload } from './shape.ts'
import { createState } from './state.ts'
import { createStatus, type SyncStatus } from './status.ts'
import type { Storage, StorageProblem } from './storage/types.ts'
import { createStoreTable, type StoreTable, type WriteRow } from './store-table.ts'
import type { Conflict, SyncDevice, SyncReport } from './sync/device.ts'
import { createSyncLoop } from './sync/loop.ts'
import { joinTabs, type SharedStatus, type TabMessage, type Tabs } from './tabs.ts'
import type { Transport } from './transport.ts'
import type { Commit, Entry, FailureRecord, Meta, OutboxItem } from './types.ts'
import { openWriter } from './writer.ts'

/** An own write that has no effect. It is kept until `retry` or `discard`. */
export interface SyncFailure extends Readonly<FailureRecord> {
  readonly table: string
  readonly pk: string
  /** What the user wrote; undefined for a delete. */
  readonly row: JsonObject | undefined
  /** Writes the same again, over what is there now. Resolves as `saved` of a write. */
  retry(): Promise<boolean>
  /** Gives it up for good. */
  discard(): Promise<boolean>
}

export interface SyncStore {
  readonly userId: string
  readonly workspaceId: string
  readonly status: SyncStatus
  readonly failures: readonly SyncFailure[]
  /** The rows of a table; the definition makes their type. */
  table<Table extends SyncedTable>(definition: Table): StoreTable<RowOf<Table>>
  /** Calls `listener` after each change of status or failures; returns a function that ends it. */
  subscribe(listener: () => void): () => void
  /** Calls `listener` where two writes of a row did not know of each other. */
  onConflict(listener: (conflict: Conflict) => void): () => void
  /** Offers all writes until now to the server, and pulls. In a tab that does not lead, the leading one is asked to, and nothing is reported. */
  sync(): Promise<SyncReport | undefined>
  /** A server says that its head is `head`: starts a pull, remembered until one has passed it. Moves no cursor. */
  hint(head: number): void
  /** Pulls soon, as after waking up. */
  requestPull(): void
  /** Milliseconds between pulls that nothing has asked for. */
  setPace(ms: number): void
  /** Shows how this store hears of changes. For the live connection. */
  setLive(mode: SharedStatus['live']['mode'], reason: string): void
  /** The user's switch; all tabs of the store follow. */
  setOnline(isOnline: boolean): void
  /** Goes on after the session has ended, as with a new one. */
  resume(): void
  /** Takes ready ops as they are, each of them to be pushed. Resolves as `saved` of a write. */
  importOps(ops: Iterable<PendingOp>): Promise<boolean>
  /** All that is known, tombstones too: for comparing devices. */
  entries(): Iterable<Readonly<Entry> & { readonly table: string }>
  /** Stops syncing and closes; what waits is kept. Further writes throw. */
  close(): Promise<void>
}

export interface StoreOptions {
  userId: string
  workspaceId: string
  transport: Transport
  storage: Storage
  tables?: readonly SyncedTable[] | undefined
  paceMs?: number | undefined
  isAutomatic?: boolean | undefined
  now?: (() => number) | undefined
  random?: (() => number) | undefined
  locks?: LockManager | null | undefined
  profile?: string | undefined
  onClose?: (() => void) | undefined
}

/** A device polls about every two seconds where nothing tells it of changes. */
const defaultPaceMs = 2_000

/** The name under which a store is kept. One user's store can never be another's. */
export function nameStore(
  { userId, workspaceId, profile = '' }: Pick<StoreOptions, 'userId' | 'workspaceId' | 'profile'>,
): string {
  return [profile, userId, workspaceId].map(encodeURIComponent).join('/')
}

/** Opens the store of one user and workspace, within the storage's time limit; on disk where it can, else in memory. */
export async function openStore(options: StoreOptions): Promise<SyncStore> {
  const { userId, workspaceId, now = Date.now, random = Math.random } = options
  const name = nameStore(options)
  const node = createNode()
  const state = createState(createMeta())
  const { meta, outbox, failures } = state
  const conflictListeners = new Set<(conflict: Conflict) => void>()
  const seenConflicts = new Set<string>()
  const defined = new Map<string, SyncedTable>()
  let isClosed = false
  let mustRename = false
  let tabs: Tabs | undefined

  const writer = await openWriter({
    name, state, storage: options.storage, createInitial: createMeta, post: message => tabs?.post(message), onLost,
  })
  const clock = createHybridClock({ node, now, last: meta.hlc })
  for (const { op } of outbox.items) clock.observe(op.stamp.hlc)
  const status = createStatus(state, writer, () => tabs?.isLeader ?? false)

  const device: SyncDevice = {
    workspaceId, state, writer, transport: options.transport, clock, now,
    isAlone: false,
    ownAhead: new Set(),
    reported: { version: 0, at: 0 },
    renameDevice: () => void (mustRename = true),
    onConflict(conflict) {
      const id = `${conflict.winner.opId} ${conflict.loser.opId}`
      if (seenConflicts.has(id)) return
      seenConflicts.add(id)
      conflictListeners.forEach(listener => listener(conflict))
    },
  }
  const loop = createSyncLoop({
    device, random, paceMs: options.paceMs ?? defaultPaceMs, isAutomatic: options.isAutomatic ?? true,
    share: shareStatus,
    onRun() {
      if (mustRename) void writer.write({ meta: { deviceId: createUuid() } })
      mustRename = false
    },
  })
  options.tables?.forEach(define)
  await migrateOps()
  const hasTabs = writer.isDurable && typeof BroadcastChannel !== 'undefined'
  const locks = hasTabs && options.locks !== null ? options.locks ?? globalThis.navigator?.locks : undefined
  tabs = joinTabs({
    name,
    locks,
    channel: hasTabs ? new BroadcastChannel(`or3-sync:${name}`) : undefined,
    onMessage,
    onLead() {
      // Without a lock, another tab may be reading a snapshot now.
      device.isAlone = locks !== undefined
      if (locks) void writer.dropStaged().catch(() => {})
      loop.start()
    },
  })
  tabs.post({ kind: 'ask' })
  const onNetwork = () => loop.requestPull()
  globalThis.addEventListener?.('online', onNetwork)

  function onLost(_problem: StorageProblem): Commit {
    // In memory it is another device: the server counts the cursor of the one on disk.
    const commit = { meta: { deviceId: createUuid() }, node }
    tabs?.detach()
    queueMicrotask(status.touch)
    return commit
  }

  function shareStatus(change: Partial<SharedStatus>): void {
    status.share(change)
    tabs?.post({ kind: 'shared', shared: status.shared })
  }

  function onMessage(message: TabMessage): void {
    if (message.kind === 'commit') {
      writer.receive(message)
      for (const { op } of message.commit?.putOps ?? []) clock.observe(op.stamp.hlc)
      if (message.commit?.putOps?.length) loop.soon()
    }
    else if (message.kind === 'shared') {
      if (!tabs?.isLeader) status.share(message.shared)
    }
    else if (message.kind === 'online') {
      switchOnline(message.isOnline)
    }
    else if (!tabs?.isLeader) {
      return
    }
    else if (message.kind === 'ask') {
      tabs.post({ kind: 'shared', shared: status.shared })
    }
    else if (message.kind === 'pull') {
      loop.requestPull(message.head)
    }
    else {
      loop.resume()
    }
  }

  function switchOnline(isOnline: boolean): void {
    status.setSwitch(isOnline)
    loop.setOnline(isOnline)
  }

  function define(definition: SyncedTable): void {
    state.table(definition.name).define(definition)
    defined.set(definition.name, definition)
  }

  /** Brings ops that wait into the present shape, as new ops: one that was received already keeps its content. */
  async function migrateOps(): Promise<void> {
    const isOld = ({ op }: OutboxItem) => migratePayload(defined.get(op.tableName), op) !== undefined
    if (![...outbox.items].some(isOld)) return
    await writer.update(() => {
      const old = [...outbox.items].filter(isOld)
      const putOps = old.map((item): OutboxItem => {
        const opId = createUuid()
        const stamp = { ...item.op.stamp, deviceId: meta.deviceId, opId, hlc: clock.tick() }
        const payload = migratePayload(defined.get(item.op.tableName), item.op)
        return { ...item, opId, op: { ...item.op, id: opId, payload, stamp } }
      })
      return { putOps, dropOps: old.map(({ opId }) => opId), meta: { hlc: clock.last }, node }
    })
  }

  const write: WriteRow = (table, operation, pk, makeRow, dropFailure) => {
    if (isClosed) throw new Error('This store is closed.')
    const rows = state.table(table.name)
    if (rows.isHidden(pk)) throw new Error(`The row "${pk}" of "${table.name}" has a newer shape: update the app.`)
    const createdAt = now()
    // There the time decides: a higher clock would be refused.
    const clockOfRow = Math.min((rows.current(pk)?.clock ?? 0) + 1, maxClock)
    const stamp = { deviceId: meta.deviceId, opId: createUuid(), hlc: clock.tick(), clock: clockOfRow }
    const { opId } = stamp
    const nowSeconds = Math.floor(createdAt / 1000)
    const payload = operation === 'put'
      ? completeRow(table, makeRow(), { ...stamp, nowSeconds })
      : deepFreeze({ [table.primaryKey]: pk, deleted: true, deleted_at: nowSeconds })
    const op: PendingOp = {
      id: opId, tableName: table.name, operation, pk, payload, stamp, createdAt, attempts: 0, status: 'pending',
    }
    const replaced = outbox.ofKey(keyOf(table.name, pk)).filter(({ isWhole }) => !isWhole)
    return save({
      putOps: [{ opId, order: outbox.nextOrder(), op }],
      dropOps: replaced.map(item => item.opId),
      ...dropFailure && { dropFailures: [dropFailure] },
    })
  }

  async function save(commit: Commit): Promise<boolean> {
    const isNew = !state.nodes.has(node)
    const isDurable = await writer.write({ ...commit, meta: { hlc: clock.last }, ...isNew && { node } })
    loop.soon()
    return isDurable
  }

  function presentFailure(record: FailureRecord): SyncFailure {
    const { op, opId } = record
    const row = op.operation === 'put' ? op.payload as JsonObject : undefined
    const discard = () => writer.write({ dropFailures: [opId] })
    return {
      ...record, table: op.tableName, pk: op.pk, row, discard,
      async retry() {
        const table = defined.get(op.tableName)
        if (!table) throw new Error(`The table "${op.tableName}" is not defined.`)
        return write(table, op.operation, op.pk, () => migratePayload(table, op) ?? row ?? {}, opId)
      },
    }
  }
  let shownFailures: readonly SyncFailure[] = []
  let shownOf = ''

  return {
    userId,
    workspaceId,
    get status() {
      return status.current
    },
    get failures() {
      const ids = [...failures.keys()].join()
      if (ids !== shownOf) shownFailures = Object.freeze(Array.from(failures.values(), presentFailure))
      shownOf = ids
      return shownFailures
    },
    table(definition) {
      if (!defined.has(definition.name)) {
        define(definition)
        void migrateOps()
      }
      return createStoreTable(state.table(definition.name), definition, write)
    },
    subscribe: status.subscribe,
    onConflict(listener) {
      conflictListeners.add(listener)
      return () => conflictListeners.delete(listener)
    },
    async sync() {
      await writer.settled()
      if (tabs?.isLeader) return loop.syncNow()
      tabs?.post({ kind: 'pull' })
      return undefined
    },
    hint(head) {
      if (tabs?.isLeader) loop.requestPull(head)
      else tabs?.post({ kind: 'pull', head })
    },
    requestPull() {
      if (tabs?.isLeader) loop.requestPull()
      else tabs?.post({ kind: 'pull' })
    },
    setPace: loop.setPace,
    setLive: (mode, reason) => shareStatus({ live: { mode, reason } }),
    setOnline(isOnline) {
      switchOnline(isOnline)
      tabs?.post({ kind: 'online', isOnline })
    },
    resume() {
      if (tabs?.isLeader) loop.resume()
      else tabs?.post({ kind: 'resume' })
    },
    importOps(ops) {
      let order = outbox.nextOrder()
      const putOps = Array.from(ops, (op): OutboxItem => {
        clock.observe(op.stamp.hlc)
        return { opId: op.stamp.opId, order: order++, op: deepFreeze(structuredClone(op)), isWhole: true }
      })
      return save({ putOps })
    },
    * entries() {
      for (const table of state.tables()) for (const entry of table.entries()) yield { ...entry, table: table.name }
    },
    async close() {
      if (isClosed) return
      isClosed = true
      globalThis.removeEventListener?.('online', onNetwork)
      await loop.stop()
      await writer.close()
      tabs?.close()
      tabs = undefined
      options.onClose?.()
    },
  }
}

function createMeta(): Meta {
  return {
    format: 1, storeId: createUuid(), deviceId: createUuid(), seq: 0, cursor: 0, head: 0, hlc: '', generation: 0,
    isComplete: false,
  }
}
