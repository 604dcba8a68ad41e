/** What runs in the page: a client with a server of a few lines, and its start from disk measured. */
import { createSyncClient, defineSyncedTable, type SyncStore, type Transport } from '../../client/index.ts'
import type { PendingOp, SnapshotItem } from '../../shared/protocol.ts'

export interface Row { id: string, title: string, rank: number, text: string }

export interface ClientApp {
  store: SyncStore
  rows: readonly Row[]
  /** Milliseconds from the call of `open` to the rows in a sorted list. */
  startMs: number
  put(id: string, title: string): Promise<boolean>
  /** Milliseconds of the main thread for one change from the server. */
  receiveMs(id: string): Promise<number>
}

declare global {
  interface Window { app: ClientApp }
}

const table = defineSyncedTable<Row>('rows', { primaryKey: 'id' })
const query = new URLSearchParams(location.search)
const count = Number(query.get('rows'))
const log: PendingOp[] = []

const keyOf = (at: number) => String(at).padStart(8, '0')
const revisionOf = (at: number) => ({ clock: 1, hlc: `0mk3n1abc:000:${keyOf(at)}`, opId: `op-${at}` })

function makeItem(at: number): SnapshotItem {
  const payload = { id: keyOf(at), title: `Row ${at}`, rank: (at * 7919) % 100_003, text: 'x'.repeat(480) }
  return { kind: 'row', tableName: 'rows', pk: keyOf(at), payload, revision: revisionOf(at) }
}

const transport: Transport = {
  async snapshot({ pageToken, pageSize }) {
    const from = Number(pageToken ?? 0)
    const end = Math.min(from + pageSize, count)
    return {
      workspaceId: 'w1', snapshotId: 's1', highWatermark: count,
      items: Array.from({ length: end - from }, (_, index) => makeItem(from + index)),
      nextPageToken: end < count ? String(end) : null,
    }
  },
  async pull({ cursor }) {
    const news = log.slice(Math.max(0, cursor - count))
    const changes = news.map(({ tableName, pk, operation, payload, stamp }, index) => (
      { serverVersion: Math.max(cursor, count) + index + 1, tableName, pk, op: operation, payload, stamp }
    ))
    const nextCursor = cursor + changes.length
    return { changes, nextCursor, hasMore: false, oldestRetainedVersion: 1, requiresSnapshot: false }
  },
  async push({ ops }) {
    log.push(...ops)
    const first = count + log.length - ops.length + 1
    const results = ops.map(({ stamp }, index) => ({ opId: stamp.opId, success: true, serverVersion: first + index }))
    return { results, serverVersion: count + log.length }
  },
  updateCursor: async () => ({ ok: true }),
}

const isAutomatic = query.get('automatic') === '1'
const client = createSyncClient({ transport, tables: [table], isAutomatic, paceMs: 500 })
const startedAt = performance.now()
const store = await client.open({ userId: 'u1', workspaceId: 'w1' })
const list = store.table(table).list({ sort: (a, b) => a.rank - b.rank })
const startMs = performance.now() - startedAt

window.app = {
  store,
  startMs,
  get rows() {
    return list.rows
  },
  put: (id, title) => store.table(table).put({ id, title, rank: 1, text: '' }).saved,
  async receiveMs(id) {
    const stamp = { deviceId: 'other', opId: crypto.randomUUID(), hlc: '0zzzzzzzz:000:other', clock: 2 + log.length }
    log.push({
      id: stamp.opId, tableName: 'rows', operation: 'put', pk: id, stamp, createdAt: 0, attempts: 0, status: 'pending',
      payload: { id, title: 'changed', rank: 50_000 + log.length, text: '' },
    })
    let longest = 0
    let last = performance.now()
    let isDone = false
    const channel = new MessageChannel()
    channel.port1.onmessage = () => {
      const now = performance.now()
      longest = Math.max(longest, now - last)
      last = now
      if (!isDone) channel.port2.postMessage(0)
    }
    channel.port2.postMessage(0)
    await new Promise(resolve => setTimeout(resolve, 20))
    longest = 0
    await store.sync()
    await new Promise(resolve => setTimeout(resolve, 0))
    isDone = true
    return longest
  },
}
