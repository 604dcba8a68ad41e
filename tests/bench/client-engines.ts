/**
 * The same work by our client, Dexie and TinyBase, in a page: rows on disk, all of them in memory and in order after a
 * start, the first 50 on the screen, a local write, a change from the server. Each in the way that its own docs show.
 */
import Dexie, { type EntityTable, liveQuery } from 'dexie'
import { createStore } from 'tinybase'
import { createIndexedDbPersister } from 'tinybase/persisters/persister-indexed-db'
import { createSyncClient, defineSyncedTable, type SyncStore, type Transport } from '../../client/index.ts'
import type { SnapshotItem, SyncChange } from '../../shared/protocol.ts'

export interface Row { id: string, title: string, rank: number, done: boolean, text: string }

export interface Engine {
  /** Puts `count` rows on disk. */
  fill(count: number): Promise<void>
  /** Opens what is on disk; resolves with the number of rows, all in memory and in the order of `rank`. */
  start(): Promise<number>
  /** Calls `show` with the first rows, now and after each change of them. */
  watch(show: (rows: readonly Row[]) => void): Promise<void>
  write(row: Row): void
  /** A change that comes from a server. */
  receive(row: Row): Promise<unknown>
}

export const shownRows = 50

/** About 600 bytes as JSON. */
export function makeRow(at: number): Row {
  return { id: String(at).padStart(8, '0'), title: `Row ${at}`, rank: (at * 7919) % 100_003, done: at % 3 === 0, text: 'x'.repeat(510) }
}

const makeRows = (count: number) => Array.from({ length: count }, (_, at) => makeRow(at))
const byRank = (a: Row, b: Row) => a.rank - b.rank

function createOurs(): Engine {
  const table = defineSyncedTable<Row>('rows', { primaryKey: 'id' })
  const id = { userId: 'u1', workspaceId: 'w1' }
  const log: SyncChange[] = []
  let count = 0
  /** Above those of earlier pages. */
  let clock = Math.round(performance.timeOrigin)
  const item = (at: number): SnapshotItem => {
    const payload = makeRow(at)
    return { kind: 'row', tableName: 'rows', pk: payload.id, payload: { ...payload }, revision: { clock: 1, hlc: '0mk3n1abc:000:00000000', opId: payload.id } }
  }
  const transport: Transport = {
    async snapshot({ pageToken, pageSize }) {
      const from = Number(pageToken ?? 0)
      const end = Math.min(from + pageSize, count)
      return {
        workspaceId: id.workspaceId, snapshotId: 's1', highWatermark: count,
        items: Array.from({ length: end - from }, (_, index) => item(from + index)),
        nextPageToken: end < count ? String(end) : null,
      }
    },
    async pull({ cursor }) {
      const changes = log.splice(0).map((change, index) => ({ ...change, serverVersion: cursor + index + 1 }))
      return { changes, nextCursor: cursor + changes.length, hasMore: false, oldestRetainedVersion: 1, requiresSnapshot: false }
    },
    push: async ({ ops }) => ({ results: ops.map(({ stamp }) => ({ opId: stamp.opId, success: true })), serverVersion: 0 }),
    updateCursor: async () => ({ ok: true }),
  }
  const client = createSyncClient({ transport, tables: [table], isAutomatic: false })
  let store: SyncStore
  const open = async () => {
    store = await client.open(id)
    return store.table(table).list({ sort: byRank })
  }
  let list: Awaited<ReturnType<typeof open>>
  return {
    async fill(wanted) {
      count = wanted
      await open()
      while (!store.status.isLeader) await new Promise(resolve => setTimeout(resolve, 5))
      await store.sync()
      await client.close()
    },
    async start() {
      list = await open()
      return list.rows.length
    },
    async watch(show) {
      list.close()
      const shown = store.table(table).list({ sort: byRank, limit: shownRows })
      const first = () => show(shown.rows)
      shown.subscribe(first)
      first()
    },
    write: row => void store.table(table).put(row),
    async receive(row) {
      const stamp = { deviceId: 'other', opId: crypto.randomUUID(), hlc: `0zzzzzzzz:000:${crypto.randomUUID().slice(0, 8)}`, clock: ++clock }
      log.push({ serverVersion: 0, tableName: 'rows', pk: row.id, op: 'put', payload: { ...row }, stamp })
      return store.sync()
    },
  }
}

function createDexie(): Engine {
  const database = new Dexie('bench') as Dexie & { rows: EntityTable<Row, 'id'> }
  database.version(1).stores({ rows: 'id, rank' })
  return {
    async fill(count) {
      const rows = makeRows(count)
      for (let at = 0; at < count; at += 2_000) await database.rows.bulkPut(rows.slice(at, at + 2_000))
    },
    async start() {
      const rows = await database.rows.toArray()
      return rows.sort(byRank).length
    },
    watch: show => new Promise((resolve) => {
      liveQuery(() => database.rows.orderBy('rank').limit(shownRows).toArray()).subscribe((rows) => {
        show(rows)
        resolve()
      })
    }),
    write: row => void database.rows.put(row),
    receive: row => database.rows.put(row),
  }
}

function createTinybase(): Engine {
  const store = createStore()
  const persister = createIndexedDbPersister(store, 'bench')
  const first = () => store.getSortedRowIds('rows', 'rank', false, 0, shownRows).map(id => ({ ...store.getRow('rows', id), id }) as unknown as Row)
  const put = ({ id, ...cells }: Row) => void store.setRow('rows', id, cells)
  return {
    async fill(count) {
      store.transaction(() => makeRows(count).forEach(put))
      await persister.save()
    },
    async start() {
      await persister.load()
      return store.getSortedRowIds('rows', 'rank').length
    },
    async watch(show) {
      // Kept on disk, as the others do with each write.
      await persister.startAutoSave()
      store.addRowListener('rows', null, () => show(first()))
      show(first())
    },
    write: put,
    receive: async row => put(row),
  }
}

export const engines: Record<string, () => Engine> = { ours: createOurs, dexie: createDexie, tinybase: createTinybase }
