/**
 * One device of the page: a replica with its outbox, made visible to Vue, synced by itself and kept over a reload.
 * The replica decides everything about rows; this room only schedules it and shows it.
 */
import { createHttpTransport, createReplica } from '../sync/replica.ts'
import { createUuid } from '../sync/ids.ts'
import { createAutoSync } from '../utils/auto-sync.ts'
import { createKeeper } from '../utils/keeper.ts'
import { forgetDevice, loadDevice } from '../utils/device-store.ts'
import type { SavedDevice } from '../utils/device-store.ts'
import type { JsonObject, PendingOp, Replica } from '../sync/replica.ts'

export type DeviceRole = 'laptop' | 'phone'

export interface DeviceOptions {
  role: DeviceRole
  label: string
  userId: string
  workspaceId: string
  /** The server no longer accepts this session for this workspace. */
  onRefused: (status: number) => void
}

export type Device = Awaited<ReturnType<typeof openDevice>>

/** Several changes within one frame are shown once. */
const SHOW_AFTER_MS = 16

export async function openDevice({ role, label, userId, workspaceId, onRefused }: DeviceOptions) {
  const key = `${userId}/${workspaceId}/${role}`
  const saved = await loadDevice(key)
  let replica = saved ? reviveReplica(saved) : makeReplica()

  const revision = ref(0)
  const online = ref(replica.online)
  const threadId = ref(saved?.threadId ?? null)
  const keeper = createKeeper(key, () => ({ state: replica.state(), online: online.value, threadId: threadId.value }))
  const autoSync = createAutoSync({ sync, isOnline: () => online.value, onRefused })

  let unsubscribe = watchReplica()
  let showTimer: ReturnType<typeof setTimeout> | undefined
  autoSync.start()

  function makeReplica(deviceId = `${role}-${createUuid().slice(0, 8)}`): Replica {
    return createReplica({ deviceId, workspaceId, transport: createHttpTransport(), batchSize: 100, pageSize: 1000 })
  }

  /** A state of another format is dropped, not mourned: what was sent comes back from the server. */
  function reviveReplica({ state, online }: SavedDevice): Replica {
    const revived = makeReplica(state.deviceId)
    try {
      revived.restore(state)
    }
    catch {
      return makeReplica()
    }
    revived.online = online
    return revived
  }

  function watchReplica(): () => void {
    let seen = describeState(replica)
    return replica.subscribe(() => {
      const now = describeState(replica)
      if (now.every((part, at) => part === seen[at])) return
      seen = now
      show()
    })
  }

  function show(): void {
    keeper.schedule()
    showTimer ??= setTimeout(() => {
      showTimer = undefined
      revision.value++
    }, SHOW_AFTER_MS)
  }

  /** A snapshot may bring other rows under the same figures. */
  async function sync() {
    const report = await replica.sync()
    if (report.snapshot) show()
    return report
  }

  /** Makes a computed value depend on the replica, which Vue cannot see into. */
  function look<T>(read: (replica: Replica) => T) {
    return computed(() => {
      void revision.value
      return read(replica)
    })
  }

  const status = look(({ cursor, head, pending, failed }) => ({
    cursor,
    head,
    pending: pending.length,
    failed: failed.length,
    behind: Math.max(0, head - cursor),
  }))
  const failures = look(({ failed }) => [...failed])
  const decisions = look(current => current.decisions)

  return {
    role,
    label,
    look,
    get deviceId() {
      void revision.value
      return replica.deviceId
    },
    get revision() {
      return revision.value
    },
    get status() {
      return status.value
    },
    get failures() {
      return failures.value
    },
    get decisions() {
      return decisions.value
    },
    get syncing() {
      return autoSync.state.syncing
    },
    get lastSync() {
      return autoSync.state.last
    },
    get problem() {
      return autoSync.state.problem || keeper.problem.value
    },
    get online() {
      return online.value
    },
    get threadId() {
      return threadId.value
    },
    get: (tableName: string, pk: string) => replica.get(tableName, pk),
    rows: (tableName: string) => replica.rows(tableName),
    put(tableName: string, pk: string, payload: JsonObject) {
      replica.put(tableName, pk, payload)
      autoSync.soon()
    },
    remove(tableName: string, pk: string) {
      replica.remove(tableName, pk)
      autoSync.soon()
    },
    enqueueAll: (ops: PendingOp[]) => replica.enqueueAll(ops),
    fingerprint: () => replica.fingerprint(),
    setOnline(value: boolean) {
      online.value = replica.online = value
      keeper.schedule()
      if (value) void autoSync.syncNow()
    },
    showThread(id: string) {
      threadId.value = id
      keeper.schedule()
    },
    syncNow: () => autoSync.syncNow(),
    /** Starts over as a device that was never here: everything comes back from the server, unsent ops are gone. */
    async reset() {
      unsubscribe()
      keeper.cancel()
      await forgetDevice(key)
      replica = makeReplica()
      replica.online = online.value
      unsubscribe = watchReplica()
      threadId.value = null
      revision.value++
      void autoSync.syncNow()
    },
    async close() {
      autoSync.stop()
      unsubscribe()
      clearTimeout(showTimer)
      await keeper.close()
    },
  }
}

/** A poll that brought nothing also notifies: it must cost neither a new fingerprint nor a save. */
function describeState({ cursor, head, pending, failed, decisions }: Replica): unknown[] {
  return [cursor, head, pending, failed, decisions]
}
