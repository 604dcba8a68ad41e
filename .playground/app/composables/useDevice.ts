/**
 * One device of the page: a client of the layer with a profile of its own, made visible to Vue. The client keeps rows
 * and outbox and decides when to sync; this file shows them, and keeps the page's own choices over a reload.
 */
import { createSyncClient, type SyncStatus, type SyncStore } from '../../../client/index.ts'
import type { JsonObject, PendingOp } from '../../../shared/protocol.ts'
import { tables } from '~~/shared/tables'
import { addDecision, keep, recall } from '../utils/decisions.ts'
import { createRowReader, type DeviceRows } from '~~/shared/device-rows'
import { fingerprint } from '~~/shared/fingerprint'
import { createRunWatch, type LastSync } from '../utils/run-watch.ts'

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
/** The session may be a new one by then. */
const RESUME_MS = 15_000

export async function openDevice({ role, label, userId, workspaceId, onRefused }: DeviceOptions) {
  const key = `or3-playground/${userId}/${workspaceId}/${role}`
  const client = createSyncClient({ tables, profile: `playground-${role}` })
  const kept = recall(key)
  const online = ref(kept.online)
  const threadId = ref(kept.threadId)
  const decisions = shallowRef(kept.decisions)
  const revision = ref(0)
  const lastSync = shallowRef<LastSync | null>(null)
  let showTimer: ReturnType<typeof setTimeout> | undefined
  let resumeTimer: ReturnType<typeof setTimeout> | undefined

  let { store, reader, unwatch } = await openStore()
  const status = shallowRef<SyncStatus>(store.status)
  const failures = shallowRef(store.failures)

  async function openStore() {
    const store = await client.open({ userId, workspaceId })
    // Before the store has had a turn to sync.
    if (!online.value) store.setOnline(false)
    const reader = createRowReader(store)
    return { store, reader, unwatch: watchStore(store, reader) }
  }

  function watchStore(watched: SyncStore, reader: { forget(): void }): () => void {
    const watchRun = createRunWatch()
    const showRows = () => {
      reader.forget()
      showTimer ??= setTimeout(() => {
        showTimer = undefined
        revision.value++
      }, SHOW_AFTER_MS)
    }
    const showStatus = () => {
      const { status: now, failures: failed } = watched
      const run = watchRun(now)
      if (run) lastSync.value = run
      if (now.stopped && now.stopped !== status.value.stopped) askAgain(now.error?.status ?? 401)
      status.value = now
      failures.value = failed
    }
    const stops = [
      watched.subscribe(showStatus),
      watched.onConflict((conflict) => {
        decisions.value = addDecision(decisions.value, { ...conflict, at: Date.now() })
        save()
      }),
      ...tables.map(table => watched.table(table).subscribe(showRows)),
    ]
    return () => stops.forEach(stop => stop())
  }

  /** The page asks who is signed in; where it is still the same user, the device goes on. */
  function askAgain(refusedWith: number): void {
    onRefused(refusedWith)
    clearTimeout(resumeTimer)
    resumeTimer = setTimeout(() => store.resume(), RESUME_MS)
  }

  function save(): void {
    keep(key, { online: online.value, threadId: threadId.value, decisions: decisions.value })
  }

  /** Makes a computed value depend on the rows, which Vue cannot see into. */
  function look<T>(read: (rows: DeviceRows) => T) {
    return computed(() => {
      void revision.value
      return read(reader)
    })
  }

  function findTable(tableName: string) {
    const definition = tables.find(({ name }) => name === tableName)
    if (!definition) throw new Error(`This page has no table "${tableName}".`)
    return { primaryKey: definition.primaryKey, table: store.table(definition) }
  }

  const figures = computed(() => {
    const { cursor, head, pending } = status.value
    const failed = failures.value.filter(({ kind }) => kind === 'refused').length
    return { cursor, head, pending, failed, behind: Math.max(0, head - cursor) }
  })
  const problem = computed(() => describeProblem(status.value))

  return {
    role,
    label,
    look,
    get deviceId() {
      return status.value.deviceId
    },
    get revision() {
      return revision.value
    },
    get status() {
      return figures.value
    },
    /** How it hears of changes. */
    get live() {
      return status.value.live
    },
    get failures() {
      return failures.value
    },
    get decisions() {
      return decisions.value
    },
    get syncing() {
      return status.value.isSyncing
    },
    get lastSync() {
      return lastSync.value
    },
    get problem() {
      return problem.value
    },
    get online() {
      return online.value
    },
    get threadId() {
      return threadId.value
    },
    get: (tableName: string, pk: string) => reader.get(tableName, pk),
    rows: (tableName: string) => reader.rows(tableName),
    put(tableName: string, pk: string, payload: JsonObject) {
      const { table, primaryKey } = findTable(tableName)
      table.put({ ...payload, [primaryKey]: pk })
    },
    remove(tableName: string, pk: string) {
      findTable(tableName).table.remove(pk)
    },
    importOps: (ops: PendingOp[]) => store.importOps(ops),
    fingerprint: () => fingerprint(store),
    setOnline(value: boolean) {
      online.value = value
      store.setOnline(value)
      save()
    },
    showThread(id: string) {
      threadId.value = id
      save()
    },
    /** Settles when everything written before the call has been offered to the server; at once while offline. */
    syncNow: () => store.sync(),
    /** Starts over as a device that was never here: everything comes back from the server, unsent ops are gone. */
    async reset() {
      unwatch()
      await client.forget({ userId, workspaceId }, { discards: true })
      ;({ store, reader, unwatch } = await openStore())
      threadId.value = null
      decisions.value = []
      save()
      status.value = store.status
      failures.value = store.failures
      revision.value++
    },
    async close() {
      clearTimeout(showTimer)
      clearTimeout(resumeTimer)
      unwatch()
      await client.close()
    },
  }
}

function describeProblem({ error, storageProblem }: SyncStatus): string {
  if (storageProblem) return `This browser does not keep the device (${storageProblem}): it lives as long as this tab.`
  if (!error) return ''
  if (error.status === 0) return 'The server does not answer. Edits stay in the outbox.'
  const waitMs = (error.retryAt ?? 0) - Date.now()
  return waitMs > 0 ? `${error.message} Trying again in ${Math.ceil(waitMs / 1000)} s.` : error.message
}
