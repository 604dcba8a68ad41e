/** What runs in the bench's page: the real client, and when each row came into its list. */
import { createSyncClient, defineSyncedTable } from '../../client/index.ts'

interface Message { id: string }

declare global {
  interface Window {
    live: { mode(): string, shownAt(id: string): number | undefined }
  }
}

const query = new URLSearchParams(location.hash.slice(1))
const client = createSyncClient({ tables: [] })
const store = await client.open({ userId: query.get('user')!, workspaceId: query.get('workspace')! })
const list = store.table(defineSyncedTable<Message>('messages', { primaryKey: 'id' })).list()
const shown = new Map<string, number>()
list.subscribe(() => {
  // On the clock that other processes of the machine have too.
  const now = performance.timeOrigin + performance.now()
  for (const { id } of list.rows) if (!shown.has(id)) shown.set(id, now)
})
window.live = { mode: () => store.status.live.mode, shownAt: id => shown.get(id) }
