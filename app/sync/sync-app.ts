/**
 * The sync of one Nuxt app in the browser: the client, the session, the workspaces, and the open stores. Made at the
 * first use; nothing here runs on the server.
 */
import type { ComputedRef, Ref, ShallowRef } from 'vue'
import { computed, effectScope, onNuxtReady, ref, shallowRef, watch } from '#imports'
import {
  createHttpTransport, createSyncClient, type StoreId, type SyncClient, type SyncClientOptions, type SyncStore,
} from '../../client/index.ts'
import {
  createCall, recallSession, recallWorkspaces, Refusal, rememberSession, rememberWorkspaces, type RequestHeaders,
  type SyncSession, type SyncWorkspace,
} from './session.ts'

/** What an app may set before the first composable runs: the client's options, and headers for all requests. */
export interface SyncAppOptions extends SyncClientOptions {
  /** Sent with each request, such as a bearer token; a `transport` of one's own brings its own for the sync routes. */
  headers?: RequestHeaders | undefined
  /** Reads the session; `GET /api/auth/session` where it is left out. Null: nobody is signed in. */
  readSession?: (() => Promise<SyncSession | null>) | undefined
}

export interface SyncApp {
  readonly client: SyncClient
  /** Null: nobody is signed in. Undefined: not known yet. */
  readonly session: Ref<SyncSession | null | undefined>
  /** The user and the workspace that composables follow. */
  readonly followed: ComputedRef<StoreId | undefined>
  /** The store of the followed workspace; undefined until it is open, and where nobody is signed in. */
  readonly store: Ref<SyncStore | undefined>
  readonly workspaces: ShallowRef<readonly SyncWorkspace[]>
  /** Follows this workspace, as long as the user stays; the session's is followed until then. */
  open(workspaceId: string): void
  /** Asks a route of the layer. */
  call: ReturnType<typeof createCall>
  /** Reads the session anew; keeps the known one where the server cannot be reached. */
  refreshSession(): Promise<void>
  /** From now on the workspaces are read once the page has hydrated, and for each user who comes. */
  listWorkspaces(): void
  /** Reads the workspaces anew; keeps the known ones where the server cannot be reached. Throws where it refuses. */
  refreshWorkspaces(): Promise<void>
  /** Nobody is signed in from now on. */
  forgetSession(): void
}

let options: SyncAppOptions = {}
let app: SyncApp | undefined

/**
 * Sets the options of the app's sync client, from a plugin and before the first composable runs.
 * @example
 * configureSync({ headers: async () => ({ authorization: `Bearer ${await getToken()}` }) })
 */
export function configureSync(given: SyncAppOptions): void {
  if (app) {
    throw new Error('configureSync() comes too late: call it in a plugin, before the first synced table is used.')
  }
  options = given
}

/** The sync of this page. `known` is the session from the server's render, where there was one. */
export function useSyncApp(known?: SyncSession | null): SyncApp {
  // Of no component: the first one that asks goes when its page is left.
  app ??= effectScope(true).run(() => createSyncApp(known))!
  return app
}

function createSyncApp(known: SyncSession | null | undefined): SyncApp {
  const call = createCall(options.headers)
  const readSession = options.readSession
    ?? (async () => (await call<{ session: SyncSession | null }>('/api/auth/session')).session)
  const transport = options.transport ?? createHttpTransport({ headers: options.headers })
  const client = createSyncClient({ ...options, transport })
  // Null from the render is an answer: nobody is signed in any more.
  const session = ref<SyncSession | null | undefined>(known === undefined ? recallSession() ?? undefined : known)
  /** Of one user: who signs in next has made no choice. */
  const chosen = shallowRef<{ userId: string | undefined, workspaceId: string } | undefined>()
  const store = shallowRef<SyncStore | undefined>()
  const workspaces = shallowRef<readonly SyncWorkspace[]>([])
  const followed = computed(() => {
    const userId = session.value?.user.id
    const isChosen = chosen.value && (chosen.value.userId ?? userId) === userId
    const workspaceId = isChosen ? chosen.value?.workspaceId : session.value?.workspace.id
    return userId && workspaceId ? { userId, workspaceId } : undefined
  })

  function setSession(found: SyncSession | null) {
    if (session.value?.user.id !== found?.user.id) workspaces.value = []
    session.value = found
    rememberSession(found)
  }

  async function refreshSession() {
    try {
      const found = await readSession()
      setSession(found)
      if (found) store.value?.resume()
    }
    catch {
      // The server cannot be reached: the remembered session stays.
    }
  }

  async function refreshWorkspaces() {
    const userId = session.value?.user.id
    if (!userId) return
    try {
      const found = (await call<{ workspaces: SyncWorkspace[] }>('/api/workspaces')).workspaces
      if (session.value?.user.id !== userId) return
      workspaces.value = found
      rememberWorkspaces(userId, found)
    }
    catch (error) {
      if (error instanceof Refusal) throw error
    }
  }

  const isFollowed = ({ userId, workspaceId }: StoreId) =>
    followed.value?.userId === userId && followed.value.workspaceId === workspaceId
  watch([() => followed.value?.userId, () => followed.value?.workspaceId], async () => {
    const target = followed.value
    const before = store.value
    store.value = undefined
    if (before) closeWhenSent(before, isFollowed)
    if (!target) return
    const opened = await client.open(target)
    if (isFollowed(opened)) store.value = opened
    else closeWhenSent(opened, isFollowed)
    // At once: what is written after a switch must not go to the workspace before.
  }, { immediate: true, flush: 'sync' })

  const recall = () => {
    const userId = session.value?.user.id
    if (userId && workspaces.value.length === 0) workspaces.value = recallWorkspaces(userId)
  }
  // A rendered page hydrates with what the server rendered, which is no workspaces.
  if (known === undefined) recall()
  let isListing = false
  function listWorkspaces() {
    if (isListing) return
    isListing = true
    onNuxtReady(() => watch(() => session.value?.user.id, () => {
      recall()
      // A refusal is told by `refresh`, and by what asks next.
      refreshWorkspaces().catch(() => {})
    }, { immediate: true }))
  }

  if (import.meta.dev) {
    void import('./devtools.ts').then(({ answerDevtools }) => answerDevtools(() => store.value ? [store.value] : []))
  }
  if (known === undefined) void refreshSession()
  else rememberSession(known)
  return {
    client, session, followed, store, workspaces, call, refreshSession, listWorkspaces, refreshWorkspaces,
    forgetSession: () => setSession(null),
    open: workspaceId => void (chosen.value = { userId: session.value?.user.id, workspaceId }),
  }
}

/**
 * Closes a store that is followed no longer, once its writes are sent: each open one holds a live stream, and over
 * HTTP/1.1 a browser has six connections to a server.
 */
function closeWhenSent(store: SyncStore, isFollowed: (store: SyncStore) => boolean): void {
  let isDone = false
  let stop = () => {}
  const look = () => {
    if (isDone || (!isFollowed(store) && store.status.pending > 0)) return
    isDone = true
    stop()
    if (!isFollowed(store)) void store.close()
  }
  stop = store.subscribe(look)
  look()
  if (isDone) stop()
}
