/** A page of an app with the composables in it, on the real routes: a browser of its own, without a Nuxt build. */
import 'fake-indexeddb/auto'
import { IDBFactory } from 'fake-indexeddb'
import { effectScope } from 'vue'
import { onTestFinished, vi } from 'vitest'

const realFetch = globalThis.fetch

/** A browser: what it keeps, who is signed in by its cookie, and whether it has a network. */
export function openBrowser(origin: string) {
  const kept = new Map<string, string>()
  const browser = { user: undefined as string | undefined, isOnline: true, requests: [] as string[] }
  globalThis.indexedDB = new IDBFactory()
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  })
  vi.stubGlobal('fetch', async (path: string, init: RequestInit = {}) => {
    // The test's own requests are not of this browser.
    if (!path.startsWith('/')) return realFetch(path, init)
    if (!browser.isOnline) throw new TypeError('Failed to fetch')
    browser.requests.push(path)
    const headers = new Headers(init.headers)
    if (browser.user) headers.set('x-user', browser.user)
    return realFetch(new URL(path, origin), { ...init, headers })
  })
  onTestFinished(() => void vi.unstubAllGlobals())
  return Object.assign(browser, {
    kept,
    databases: async () => (await indexedDB.databases()).map(({ name }) => name!),
  })
}

/** Loads the page: the modules anew, as a reload does. `use` calls composables; `payload` is the server's render. */
export async function loadPage<T>(use: (app: Composables) => T, payload: Record<string, unknown> = {}) {
  vi.resetModules()
  const { render } = await import('../../helpers/nuxt-imports.ts')
  for (const [key, value] of Object.entries(payload)) render(key, value)
  const imports: Composables = {
    ...await import('../../../app/composables/useSyncWorkspace.ts'),
    ...await import('../../../app/composables/useSyncedTable.ts'),
    ...await import('../../../app/composables/useSyncFailures.ts'),
    ...await import('../../../app/composables/configureSync.ts'),
  }
  const { useSyncApp } = await import('../../../app/sync/sync-app.ts')
  const scope = effectScope()
  const page = scope.run(() => use(imports))!
  const close = async () => {
    scope.stop()
    await useSyncApp().client.close()
  }
  onTestFinished(close)
  return {
    ...page, close,
    leaveComponent: () => scope.stop(),
    /** Another component that calls the same composables. */
    useAgain: () => effectScope().run(() => use(imports))!,
  }
}

type Composables = typeof import('../../../app/composables/useSyncWorkspace.ts')
  & typeof import('../../../app/composables/useSyncedTable.ts')
  & typeof import('../../../app/composables/useSyncFailures.ts')
  & typeof import('../../../app/composables/configureSync.ts')
