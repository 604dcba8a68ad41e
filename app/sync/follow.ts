import type { ShallowRef } from 'vue'
import { onScopeDispose, shallowRef, watch } from '#imports'
import type { SyncStore } from '../../client/index.ts'
import { useBrowserSync } from './render.ts'

/**
 * What `read` makes of the open store, anew after each change of its status or failures, as long as the component
 * lives. On the server no store is open.
 */
export function followStore<T>(read: (store: SyncStore | undefined) => T): Readonly<ShallowRef<T>> {
  const shown = shallowRef(read(undefined))
  if (import.meta.server) return shown
  const { store } = useBrowserSync()
  let stop = () => {}
  watch(store, (found) => {
    stop()
    const show = () => {
      shown.value = read(found)
    }
    stop = found?.subscribe(show) ?? (() => {})
    show()
  }, { immediate: true, flush: 'sync' })
  onScopeDispose(() => stop())
  return shown
}
