import type { ShallowRef } from 'vue'
import type { SyncStatus } from '../../client/index.ts'
import { unknownServer } from '../../client/status.ts'
import { followStore } from '../sync/follow.ts'

/** How sync stands, for a component. `isReady`: a store is open, so that rows can be written. */
export type SyncViewStatus = SyncStatus & { readonly isReady: boolean }

const notOpen = Object.freeze<SyncViewStatus>({
  isReady: false, isOnline: true, isDurable: true, storageProblem: undefined, isLeader: false, isComplete: false,
  deviceId: '', cursor: 0, head: 0, pending: 0, failures: 0, ...unknownServer,
})

/**
 * The state of sync: online, live, pending writes, the last sync, whether writes are kept on disk, the error.
 * @example const status = useSyncStatus()   // <p v-if="status.pending">{{ status.pending }} waiting</p>
 */
export function useSyncStatus(): Readonly<ShallowRef<SyncViewStatus>> {
  return followStore<SyncViewStatus>(store => store ? { ...store.status, isReady: true } : notOpen)
}
