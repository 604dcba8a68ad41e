/**
 * The sync of one Nuxt app in the browser: the client, the session, and the open stores. Made at the first use; nothing
 * here runs on the server.
 */
import type { Ref } from 'vue'
import { ref, shallowRef, watch } from '#imports'
import { createSyncClient, type SyncClient, type SyncClientOptions, type SyncStore } from '../../client/index.ts'
import { callLayer, recallSession, rememberSession, type SyncSession } from './session.ts'

/** What an app may set before the first composable runs: the client's options, and who is signed in. */
export interface SyncAppOptions extends SyncClientOptions {
  /** Reads the session; `GET /api/auth/session` where it is left out. Null: nobody is signed in. */
  readSession?: (() => Promise<SyncSession | null>) | undefined
}

export interface SyncApp {
  readonly client: SyncClient
  /** Null: nobody is signed in. Undefined: not known yet. */
  readonly session: Ref<SyncSession | null | undefined>
  /** The workspace that composables follow; of the session, until `useSyncWorkspace().open` chooses another. */
  readonly workspaceId: Ref<string | undefined>
  /** The store of the followed workspace; undefined until it is open, and where nobody is signed in. */
  readonly store: Ref<SyncStore | undefined>
  /** Reads the session anew; keeps the known one where the server cannot be reached. */
  refreshSession(): Promise<void>
}

let options: SyncAppOptions = {}
let app: SyncApp | undefined

/**
 * Sets the options of the app's sync client, from a plugin and before the first composable runs.
 * @example
 * configureSync({ transport: createHttpTransport({ headers: async () => ({ authorization: await token() }) }) })
 */
export function configureSync(given: SyncAppOptions): void {
  if (app) {
    throw new Error('configureSync() comes too late: call it in a plugin, before the first synced table is used.')
  }
  options = given
}

/** The sync of this page. `known` is the session from the server's render, where there was one. */
export function useSyncApp(known?: SyncSession | null): SyncApp {
  app ??= createSyncApp(known)
  return app
}

function createSyncApp(known: SyncSession | null | undefined): SyncApp {
  const { readSession = fetchSession } = options
  const client = createSyncClient(options)
  // Null from the render is an answer: nobody is signed in any more.
  const session = ref<SyncSession | null | undefined>(known === undefined ? recallSession() ?? undefined : known)
  const workspaceId = ref<string | undefined>()
  const store = shallowRef<SyncStore | undefined>()

  async function refreshSession() {
    try {
      const found = await readSession()
      session.value = found
      rememberSession(found)
      if (found) store.value?.resume()
    }
    catch {
      // The server cannot be reached: the remembered session stays.
    }
  }

  watch([
    () => session.value?.user.id,
    () => workspaceId.value ?? session.value?.workspace.id,
  ], async ([userId, id]) => {
    store.value = undefined
    if (!userId || !id) return
    const opened = await client.open({ userId, workspaceId: id })
    const isStill = session.value?.user.id === userId && (workspaceId.value ?? session.value.workspace.id) === id
    if (isStill) store.value = opened
  }, { immediate: true })

  if (import.meta.dev) {
    void import('./devtools.ts').then(({ answerDevtools }) => answerDevtools(() => store.value ? [store.value] : []))
  }
  if (known === undefined) void refreshSession()
  else rememberSession(known)
  return { client, session, workspaceId, store, refreshSession }
}

async function fetchSession(): Promise<SyncSession | null> {
  return (await callLayer<{ session: SyncSession | null }>('/api/auth/session')).session
}
