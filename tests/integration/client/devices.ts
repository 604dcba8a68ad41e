/** Clients of one browser or several, on fake-indexeddb: each browser has databases, locks and channels of its own. */
import { createHash } from 'node:crypto'
import 'fake-indexeddb/auto'
import { IDBFactory } from 'fake-indexeddb'
import { onTestFinished } from 'vitest'
import {
  createIndexedDbStorage, createSyncClient, defineSyncedTable, type SyncClient, type SyncClientOptions, type SyncStore,
  type Transport,
} from '../../../client/index.ts'
import { compareCodePoints } from '../../../shared/revision.ts'

/** One of the server's own tables, which takes what these tests write. */
export const posts = defineSyncedTable<Post>('posts', {
  primaryKey: 'id',
  fill: (row, { clock, nowSeconds }) => (
    { content: '', post_type: 'doc', deleted: false, created_at: nowSeconds, ...row, updated_at: nowSeconds, clock }
  ),
})
export interface Post { id: string, title: string, content?: string }

let profiles = 0

/** A browser of its own: its stores, locks and channels are no other's. */
export function createBrowser(): string {
  return `browser-${++profiles}`
}

/** Forgets the databases of all browsers. */
export function clearDatabases(): void {
  globalThis.indexedDB = new IDBFactory()
}

/** A tab that syncs only when it is told to. Closed after the test, unless it was before. */
export function openTab(transport: Transport, options: SyncClientOptions = {}): SyncClient {
  const client = createSyncClient({
    transport, storage: createIndexedDbStorage({ openTimeoutMs: 500 }), tables: [posts], isAutomatic: false,
    profile: createBrowser(), ...options,
  })
  onTestFinished(() => client.close())
  return client
}

/** Waits until this tab leads. */
export async function openLeading(transport: Transport, options: SyncClientOptions = {}, userId = 'user-1') {
  const client = openTab(transport, options)
  const store = await client.open({ userId, workspaceId: 'w1' })
  await until(() => store.status.isLeader)
  return store
}

export async function until(isSo: () => boolean, timeoutMs = 3_000): Promise<void> {
  // The wall clock may be one that the test holds.
  const end = performance.now() + timeoutMs
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`Not so after ${timeoutMs} ms: ${isSo.toString()}`)
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}

/** One hash over all that a store shows: rows with revision, and tombstones. */
export function fingerprint(store: Pick<SyncStore, 'entries'>): string {
  const lines = [...store.entries()]
    .sort((a, b) => compareCodePoints(a.table, b.table) || compareCodePoints(a.pk, b.pk))
    .map(({ table, pk, clock, hlc, opId, row }) => JSON.stringify([table, pk, clock, hlc, opId, sortKeys(row ?? null)]))
  return createHash('sha256').update(lines.join('\n')).digest('hex')
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys)
  if (typeof value !== 'object' || value === null) return value
  const pairs = Object.entries(value).sort(([a], [b]) => compareCodePoints(a, b))
  return Object.fromEntries(pairs.map(([key, one]) => [key, sortKeys(one)]))
}
