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
  createCall, recallVisit, rememberVisit, type RequestHeaders, type SyncSession, type SyncWorkspace,
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
  /** Reads the workspaces once, when the page has hydrated. */
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
  const visit = recallVisit()
  // Null from the render is an answer: nobody is signed in any more.
  const session = ref<SyncSession | null | undefined>(known === undefined ? visit?.session : known)
  /** Of one user: who signs in next has made no choice. */
  const chosen = shallowRef<{ userId: string | undefined, workspaceId: string } | undefined>()
  const store = shallowRef<SyncStore | undefined>()
  // A rendered page hydrates with what the server rendered, which is no workspaces.
  const workspaces = shallowRef<readonly SyncWorkspace[]>(known === undefined ? visit?.workspaces ?? [] : [])
  const followed = computed(() => {
    const userId = session.value?.user.id
    const isChosen = chosen.value && (chosen.value.userId ?? userId) === userId
    const workspaceId = isChosen ? chosen.value?.workspaceId : session.value?.workspace.id
    return userId && workspaceId ? { userId, workspaceId } : undefined
  })

  function know(found: SyncSession | null, list: readonly SyncWorkspace[]) {
    session.value = found
    workspaces.value = list
    rememberVisit(found && { session: found, workspaces: list })
  }

  async function refreshSession() {
    try {
      const found = await readSession()
      know(found, session.value?.user.id === found?.user.id ? workspaces.value : [])
      if (found) store.value?.resume()
    }
    catch {
      // The server cannot be reached: the remembered session stays.
    }
  }

  async function refreshWorkspaces() {
    const before = session.value
    if (!before) return
    try {
      const found = (await call<{ workspaces: SyncWorkspace[] }>('/api/workspaces')).workspaces
      if (session.value?.user.id === before.user.id) know(session.value, found)
    }
    catch (error) {
      // Without a network what is known stays.
      if (!(error instanceof TypeError)) throw error
    }
  }

  const isFollowed = ({ userId, workspaceId }: StoreId) =>
    followed.value?.userId === userId && followed.value.workspaceId === workspaceId

  /**
   * Closes a store that is followed no longer, once its writes are sent: each open one holds a live stream, and over
   * HTTP/1.1 a browser has six connections to a server.
   */
  function closeWhenSent(one: SyncStore) {
    const look = () => {
      if (!isFollowed(one) && one.status.pending) return
      stop()
      if (!isFollowed(one)) void one.close()
    }
    const stop = one.subscribe(look)
    look()
  }
  watch([() => followed.value?.userId, () => followed.value?.workspaceId], async () => {
    const target = followed.value
    const before = store.value
    store.value = undefined
    if (before) closeWhenSent(before)
    if (!target) return
    const opened = await client.open(target)
    if (isFollowed(opened)) store.value = opened
    else closeWhenSent(opened)
    // At once: what is written after a switch must not go to the workspace before.
  }, { immediate: true, flush: 'sync' })

  if (import.meta.dev) {
    void import('./devtools.ts').then(({ answerDevtools }) => answerDevtools(() => store.value ? [store.value] : []))
  }
  if (known !== undefined) rememberVisit(known && { session: known, workspaces: ofVisit(known) })
  const ready = known === undefined ? refreshSession() : new Promise<void>(onNuxtReady)
  let listing: Promise<void> | undefined

  function ofVisit({ user }: SyncSession) {
    return visit?.session.user.id === user.id ? visit.workspaces : []
  }
  return {
    client, session, followed, store, workspaces, call, refreshSession, refreshWorkspaces,
    // A refusal is told by `refresh`, and by what asks next.
    listWorkspaces: () => void (listing ??= ready.then(() => {
      if (session.value && workspaces.value.length === 0) workspaces.value = ofVisit(session.value)
      return refreshWorkspaces()
    }).catch(() => {})),
    forgetSession: () => know(null, []),
    open: workspaceId => void (chosen.value = { userId: session.value?.user.id, workspaceId }),
  }
}
