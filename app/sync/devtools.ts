/**
 * What the DevTools tab shows of this page, in development only. It asks over a BroadcastChannel; see modules/build/.
 */
import type { SyncStore } from '../../client/index.ts'

type Request = { kind: 'ask' } | { kind: 'online', name: string, isOnline: boolean } | { kind: 'state' }

const nameOf = ({ userId, workspaceId }: SyncStore) => `${userId}/${workspaceId}`

/** Answers the tab with the state of the open stores, and takes its switch for offline. */
export function answerDevtools(openStores: () => SyncStore[]): void {
  const channel = new BroadcastChannel('or3-sync:devtools')
  channel.onmessage = ({ data }: MessageEvent<Request>) => {
    if (data.kind === 'online') openStores().find(store => nameOf(store) === data.name)?.setOnline(data.isOnline)
    if (data.kind !== 'state') channel.postMessage({ kind: 'state', stores: openStores().map(describe) })
  }
}

function describe(store: SyncStore) {
  const rows = new Map<string, number>()
  for (const entry of store.entries()) if (entry.row) rows.set(entry.table, (rows.get(entry.table) ?? 0) + 1)
  const { userId, workspaceId, status, outbox } = store
  return {
    name: nameOf(store), userId, workspaceId, status, outbox,
    tables: [...rows].map(([name, count]) => ({ name, rows: count })),
    failures: store.failures.map(({ table, pk, code, message }) => ({ table, pk, code, message })),
  }
}
