import type { ShallowRef } from 'vue'
import { onScopeDispose, shallowRef, watch } from '#imports'
import type { SyncStatus } from '../../client/index.ts'
import { useBrowserSync } from '../sync/render.ts'

/** How sync stands, for a component. `isReady`: a store is open, so that rows can be written. */
export type SyncViewStatus = SyncStatus & { readonly isReady: boolean }

const notOpen = Object.freeze<SyncViewStatus>({
  isReady: false, isOnline: true, isDurable: true, storageProblem: undefined, isLeader: false, isComplete: false,
  deviceId: '', cursor: 0, head: 0, pending: 0, failures: 0,
  isSyncing: false, lastSyncAt: undefined, error: undefined, stopped: undefined,
  live: { mode: 'off', reason: 'not started' },
})

/**
 * The state of sync: online, live, pending writes, the last sync, whether writes are kept on disk, the error.
 * @example const status = useSyncStatus()   // <p v-if="status.pending">{{ status.pending }} waiting</p>
 */
export function useSyncStatus(): Readonly<ShallowRef<SyncViewStatus>> {
  const status = shallowRef(notOpen)
  if (import.meta.server) return status
  const { store } = useBrowserSync()
  let stop = () => {}
  watch(store, (found) => {
    stop()
    const show = () => {
      status.value = found ? { ...found.status, isReady: true } : notOpen
    }
    stop = found?.subscribe(show) ?? (() => {})
    show()
  }, { immediate: true })
  onScopeDispose(() => stop())
  return status
}
