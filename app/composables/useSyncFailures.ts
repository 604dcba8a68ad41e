import type { ShallowRef } from 'vue'
import { onScopeDispose, shallowRef, watch } from '#imports'
import type { SyncFailure } from '../../client/index.ts'
import { useBrowserSync } from '../sync/render.ts'

/**
 * The writes that have no effect: refused by the server for good, or beaten by another device. Each keeps what the user
 * wrote until `retry` or `discard`.
 * @example const failures = useSyncFailures()   // <li v-for="one in failures">{{ one.message }}</li>
 */
export function useSyncFailures(): Readonly<ShallowRef<readonly SyncFailure[]>> {
  const failures = shallowRef<readonly SyncFailure[]>([])
  if (import.meta.server) return failures
  const { store } = useBrowserSync()
  let stop = () => {}
  watch(store, (found) => {
    stop()
    const show = () => {
      failures.value = found?.failures ?? []
    }
    stop = found?.subscribe(show) ?? (() => {})
    show()
  }, { immediate: true })
  onScopeDispose(() => stop())
  return failures
}
