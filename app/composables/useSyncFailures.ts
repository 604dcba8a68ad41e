import type { ShallowRef } from 'vue'
import type { SyncFailure } from '../../client/index.ts'
import { followStore } from '../sync/follow.ts'

const none: readonly SyncFailure[] = Object.freeze([])

/**
 * The writes that have no effect: refused by the server for good, or beaten by another device. Each keeps what the user
 * wrote until `retry` or `discard`.
 * @example const failures = useSyncFailures()   // <li v-for="one in failures">{{ one.message }}</li>
 */
export function useSyncFailures(): Readonly<ShallowRef<readonly SyncFailure[]>> {
  return followStore(store => store?.failures ?? none)
}
