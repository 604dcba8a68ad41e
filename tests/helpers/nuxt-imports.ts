/** What `#imports` gives the composables of `app/` in a browser, for tests without a Nuxt build. */
import { type Ref, ref } from 'vue'

export { computed, effectScope, onScopeDispose, ref, shallowRef, watch } from 'vue'

declare global {
  interface ImportMeta { readonly server?: boolean, readonly dev?: boolean }
}

const payload = new Map<string, Ref>()

/** What the server's render left for the page. */
export function render(key: string, value: unknown): void {
  payload.set(key, ref(value))
}

export function useState<T>(key: string, init: () => T): Ref<T> {
  const known = payload.get(key) as Ref<T> | undefined ?? ref(init()) as Ref<T>
  payload.set(key, known)
  return known
}

export function onNuxtReady(callback: () => unknown): void {
  setTimeout(callback)
}

export function onServerPrefetch(_job: () => Promise<unknown>): void {}

export function useRequestEvent(): { context: Record<string, unknown> } | undefined {
  return undefined
}
