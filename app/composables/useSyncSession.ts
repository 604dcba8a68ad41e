import type { Ref } from 'vue'
import { computed, onServerPrefetch } from '#imports'
import { useBrowserSync, usePageReader, useRenderedSession } from '../sync/render.ts'
import type { SyncSession } from '../sync/session.ts'

/**
 * Who is signed in: null for nobody, undefined while it is not known.
 * @example const session = useSyncSession()   // <p v-if="session">{{ session.workspace.name }}</p>
 */
export function useSyncSession(): Readonly<Ref<SyncSession | null | undefined>> {
  if (import.meta.server) {
    const reader = usePageReader()
    onServerPrefetch(async () => {
      await reader?.session()
    })
    return useRenderedSession()
  }
  const { session } = useBrowserSync()
  return computed(() => session.value)
}
