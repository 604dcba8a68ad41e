import type { Ref, ShallowRef } from 'vue'
import { computed, shallowRef } from '#imports'
import type { WorkspaceRole } from '../../shared/answers.ts'
import type { SyncSession, SyncWorkspace } from '../sync/session.ts'
import { useBrowserSync } from '../sync/render.ts'
import { useSyncSession } from './useSyncSession.ts'

export interface SyncWorkspaceView {
  readonly session: Readonly<Ref<SyncSession | null | undefined>>
  /** The workspace that the composables follow. */
  readonly workspaceId: Readonly<Ref<string | undefined>>
  /** The user's role in that workspace; undefined while it is not known. */
  readonly role: Readonly<Ref<WorkspaceRole | undefined>>
  /** The user's workspaces, read once the page has hydrated; offline those of the last visit. */
  readonly workspaces: Readonly<ShallowRef<readonly SyncWorkspace[]>>
  /** Reads session and workspaces anew, as after a sign-in. Without a network what is known stays. */
  refresh(): Promise<void>
  /** Follows another workspace in this page. Writes that wait in the one before are sent all the same. */
  open(workspaceId: string): void
  /** Makes a workspace the one that a new device, and a page that is loaded anew, opens first; and follows it. */
  activate(workspaceId: string): Promise<void>
  /**
   * Removes the user's rows of all workspaces from this browser, before the app signs the user out. Where writes wait
   * for the server or have failed it removes nothing and answers how many, unless `discards` says that the user gives
   * them up.
   */
  leave(options?: { discards?: boolean }): Promise<{ left: boolean, pending: number }>
}

/**
 * The session and the workspaces of this user, and the switch between them.
 * @example const { workspaces, open, role, leave } = useSyncWorkspace()
 */
export function useSyncWorkspace(): SyncWorkspaceView {
  const session = useSyncSession()
  if (import.meta.server) {
    const refuse = (): never => {
      throw new Error('Workspaces are switched in the browser: call this from an event handler.')
    }
    return {
      session,
      workspaceId: computed(() => session.value?.workspace.id),
      role: computed(() => session.value?.role),
      workspaces: shallowRef([]),
      refresh: refuse, open: refuse, activate: refuse, leave: refuse,
    }
  }
  const { client, store, followed, workspaces, call, ...sync } = useBrowserSync()
  const workspaceId = computed(() => followed.value?.workspaceId)
  const role = computed(() => workspaces.value.find(({ id }) => id === workspaceId.value)?.role
    ?? (session.value?.workspace.id === workspaceId.value ? session.value?.role : undefined))
  sync.listWorkspaces()
  return {
    session,
    workspaceId,
    role,
    workspaces,
    async refresh() {
      await sync.refreshSession()
      await sync.refreshWorkspaces()
    },
    open: sync.open,
    async activate(id) {
      await call('/api/workspaces/active', { id })
      sync.open(id)
    },
    async leave({ discards = false } = {}) {
      const userId = session.value?.user.id
      const ids = userId ? await client.kept(userId) : []
      let pending = 0
      for (const id of discards ? [] : ids) {
        const one = await client.open(id)
        const waiting = one.status.pending + one.status.failures
        pending += waiting
        if (waiting === 0 && one !== store.value) await one.close()
      }
      if (pending > 0) return { left: false, pending }
      sync.forgetSession()
      await Promise.all(ids.map(id => client.forget(id, { discards: true })))
      return { left: true, pending: 0 }
    },
  }
}
