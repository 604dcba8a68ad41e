import type { Ref, ShallowRef } from 'vue'
import { computed, shallowRef } from '#imports'
import { callLayer, rememberSession, type SyncSession, type SyncWorkspace } from '../sync/session.ts'
import { useBrowserSync } from '../sync/render.ts'
import { useSyncSession } from './useSyncSession.ts'

export interface SyncWorkspaceView {
  readonly session: Readonly<Ref<SyncSession | null | undefined>>
  /** The workspace that the composables follow. */
  readonly workspaceId: Readonly<Ref<string | undefined>>
  /** The user's workspaces; empty until `refresh`. */
  readonly workspaces: Readonly<ShallowRef<readonly SyncWorkspace[]>>
  /** Reads session and workspaces anew. */
  refresh(): Promise<void>
  /** Follows another workspace on this device. Writes that wait in the one before are sent all the same. */
  open(workspaceId: string): void
  /** Makes a workspace the one that a new device opens first, and follows it. */
  activate(workspaceId: string): Promise<void>
  /**
   * Removes the user's rows from this browser, before the app signs the user out. Where writes wait for the server or
   * have failed it removes nothing and answers how many, unless `discards` says that the user gives them up.
   */
  leave(options?: { discards?: boolean }): Promise<{ left: boolean, pending: number }>
}

/**
 * The session and the workspaces of this user, and the switch between them.
 * @example const { workspaces, open, leave } = useSyncWorkspace()
 */
export function useSyncWorkspace(): SyncWorkspaceView {
  const session = useSyncSession()
  const workspaces = shallowRef<readonly SyncWorkspace[]>([])
  if (import.meta.server) {
    const refuse = (): never => {
      throw new Error('Workspaces are switched in the browser: call this from an event handler.')
    }
    const workspaceId = computed(() => session.value?.workspace.id)
    return { session, workspaceId, workspaces, refresh: refuse, open: refuse, activate: refuse, leave: refuse }
  }
  const sync = useBrowserSync()
  const { client, store, workspaceId: chosen, refreshSession } = sync
  const workspaceId = computed(() => chosen.value ?? session.value?.workspace.id)
  return {
    session,
    workspaceId,
    workspaces,
    async refresh() {
      await refreshSession()
      workspaces.value = (await callLayer<{ workspaces: SyncWorkspace[] }>('/api/workspaces')).workspaces
    },
    open(id) {
      chosen.value = id
    },
    async activate(id) {
      await callLayer('/api/workspaces/active', { id })
      chosen.value = id
    },
    async leave({ discards = false } = {}) {
      const userId = session.value?.user.id
      const id = workspaceId.value
      const { pending = 0, failures = 0 } = store.value?.status ?? {}
      if (!discards && pending + failures > 0) return { left: false, pending: pending + failures }
      sync.session.value = null
      rememberSession(null)
      if (userId && id) await client.forget({ userId, workspaceId: id }, { discards: true })
      return { left: true, pending: 0 }
    },
  }
}
