/** What runs in a page of the live tests: the real client with one list, and when each row came into it. */
import { createSyncClient, defineSyncedTable } from '../../client/index.ts'

interface Message { id: string, text: string }

export interface LiveApp {
  /** How the store hears of changes. */
  mode(): string
  pulled(): number
  put(id: string): void
  /** When the row came into the list, in epoch milliseconds with fractions. */
  shownAt(id: string): number | undefined
}

declare global {
  interface Window { live: LiveApp }
}

const table = defineSyncedTable<Message>('messages', {
  primaryKey: 'id',
  fill: (row, { clock, nowSeconds }) => ({
    thread_id: 'thread-0001', role: 'user', index: 0, order_key: '0mk3n1abc:000:device01', deleted: false,
    created_at: nowSeconds, ...row, updated_at: nowSeconds, clock,
  }),
})
const query = new URLSearchParams(location.hash.slice(1))
const client = createSyncClient({ tables: [table] })
const store = await client.open({ userId: query.get('user')!, workspaceId: query.get('workspace')! })
const list = store.table(table).list()
const shown = new Map<string, number>()
list.subscribe(() => {
  // On the clock that the other processes of the machine have too.
  const now = performance.timeOrigin + performance.now()
  for (const { id } of list.rows) if (!shown.has(id)) shown.set(id, now)
})
window.live = {
  mode: () => store.status.live.mode,
  pulled: () => store.status.cursor,
  put: id => void store.table(table).put({ id, text: 'x' }),
  shownAt: id => shown.get(id),
}
