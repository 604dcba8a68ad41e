/** Devices with the real client, on the real routes over HTTP, directly or through a proxy. */
import { onTestFinished } from 'vitest'
import {
  createHttpTransport, createMemoryStorage, createSyncClient, defineSyncedTable, type SyncClientOptions, type SyncStore,
} from '../../../client/index.ts'
import { serveRoutes } from '../../helpers/http-server.ts'
import { startProxy, type ProxyHabits } from '../../helpers/proxy.ts'

export interface Post { id: string, title: string }

export const posts = defineSyncedTable<Post>('posts', {
  primaryKey: 'id',
  fill: (row, { clock, nowSeconds }) => (
    { content: '', post_type: 'doc', deleted: false, created_at: nowSeconds, ...row, updated_at: nowSeconds, clock }
  ),
})

export async function serveDevices() {
  const server = await serveRoutes()
  const { workspaceId, userId } = await server.meet('ann')
  const openDevice = async (origin = server.origin, options: SyncClientOptions = {}): Promise<SyncStore> => {
    const client = createSyncClient({
      transport: createHttpTransport({ baseUrl: origin, headers: { 'x-user': 'ann' } }),
      storage: createMemoryStorage(), tables: [posts], locks: null, ...options,
    })
    onTestFinished(() => client.close())
    return client.open({ userId, workspaceId })
  }
  const openProxy = async (habits: ProxyHabits = {}) => {
    const proxy = await startProxy(server.origin, habits)
    onTestFinished(proxy.close)
    return proxy
  }
  return { ...server, workspaceId, userId, openDevice, openProxy }
}

export async function until(isSo: () => boolean, timeoutMs = 5_000): Promise<number> {
  const startedAt = performance.now()
  while (!isSo()) {
    if (performance.now() - startedAt > timeoutMs) throw new Error(`Not so after ${timeoutMs} ms: ${isSo.toString()}`)
    await new Promise(resolve => setTimeout(resolve, 1))
  }
  return performance.now() - startedAt
}

export function has(store: SyncStore, id: string): () => boolean {
  return () => store.table(posts).get(id) !== undefined
}

export function percentile(values: readonly number[], share: number): number {
  return [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))]!
}
