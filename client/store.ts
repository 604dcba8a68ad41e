/**
 * One user's rows of one workspace in this tab: reads and writes at once, offline too, kept equal to the other tabs,
 * the disk and the server. Upholds P12.
 */
import { createHybridClock, createNode } from '../shared/hlc.ts'
import { createUuid } from '../shared/uuid.ts'
import { createListeners } from './listeners.ts'
import { createState } from './state.ts'
import { createStoreLive } from './store-live.ts'
import { createStatus } from './status.ts'
import { createStoreTable } from './store-table.ts'
import type { StoreOptions, SyncStore } from './store-types.ts'
import { createWrites } from './store-writes.ts'
import type { Conflict, SyncDevice } from './sync/device.ts'
import { createSyncLoop } from './sync/loop.ts'
import { joinTabs, type SharedStatus, type TabMessage, type Tabs } from './tabs.ts'
import type { Commit, Meta } from './types.ts'
import { openWriter } from './writer.ts'

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
  const { meta, outbox } = state
  const conflictListeners = createListeners<[Conflict]>()
  const seenConflicts = new Set<string>()
  let closing: Promise<void> | undefined
  const isClosed = () => closing !== undefined
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
    hold: undefined,
    renameDevice: () => void (mustRename = true),
    onConflict(conflict) {
      const id = `${conflict.winner.opId} ${conflict.loser.opId}`
      if (seenConflicts.has(id)) return
      seenConflicts.add(id)
      conflictListeners.tell(conflict)
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
  const live = createStoreLive({
    workspaceId, random, loop,
    transport: options.transport,
    paceMs: options.paceMs ?? defaultPaceMs,
    isEnabled: (options.isAutomatic ?? true) && (options.isLive ?? true),
    head: () => Math.max(meta.cursor, meta.head),
    isLeader: () => tabs?.isLeader ?? false,
    stopped: () => status.shared.stopped,
    share: shareStatus,
    post: message => tabs?.post(message),
  })
  status.subscribe(live.update)
  const writes = createWrites({ state, writer, clock, node, now, isClosed, onSaved: loop.soon })
  options.tables?.forEach(writes.define)
  await writes.migrateOps()
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
      // Once `tabs` says that this one leads.
      queueMicrotask(live.update)
    },
  })
  tabs.post({ kind: 'ask' })
  globalThis.addEventListener?.('online', loop.wake)

  function onLost(): Commit {
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
    else if (message.kind === 'seen') {
      live.see()
    }
    else {
      loop.resume()
    }
  }

  function askLeader(message: TabMessage): void {
    if (tabs?.isLeader) onMessage(message)
    else tabs?.post(message)
  }

  function switchOnline(isOnline: boolean): void {
    status.setSwitch(isOnline)
    loop.setOnline(isOnline)
    live.setOnline(isOnline)
  }

  async function shut(): Promise<void> {
    globalThis.removeEventListener?.('online', loop.wake)
    live.close()
    await loop.stop()
    await writer.close()
    tabs?.close()
    tabs = undefined
    options.onClose?.()
  }

  return {
    userId,
    workspaceId,
    get status() {
      return status.current
    },
    get failures() {
      return writes.failures
    },
    get outbox() {
      return [...outbox.items].map(({ op }) => op)
    },
    table(definition) {
      if (!writes.isDefined(definition.name)) {
        writes.define(definition)
        void writes.migrateOps()
      }
      return createStoreTable(state.table(definition.name), definition, writes.write)
    },
    subscribe: status.subscribe,
    onConflict: conflictListeners.add,
    async sync() {
      await writer.settled()
      if (tabs?.isLeader) return loop.syncNow()
      tabs?.post({ kind: 'pull' })
      return undefined
    },
    hint: head => askLeader({ kind: 'pull', head }),
    requestPull: () => askLeader({ kind: 'pull' }),
    setPace: live.setPace,
    setOnline(isOnline) {
      switchOnline(isOnline)
      tabs?.post({ kind: 'online', isOnline })
    },
    resume: () => askLeader({ kind: 'resume' }),
    importOps: writes.importOps,
    * entries() {
      for (const table of state.tables()) for (const entry of table.entries()) yield { ...entry, table: table.name }
    },
    get isClosed() {
      return isClosed()
    },
    close: () => closing ??= shut(),
  }
}

function createMeta(): Meta {
  return {
    format: 1, storeId: createUuid(), deviceId: createUuid(), seq: 0, cursor: 0, head: 0, hlc: '', generation: 0,
    isComplete: false,
  }
}
