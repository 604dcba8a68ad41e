/** What an app makes once: it opens the store of a user and workspace, several at once where it wants. */
import type { SyncedTable } from '../shared/synced-table.ts'
import { createIndexedDbStorage } from './storage/indexed-db.ts'
import type { Storage } from './storage/types.ts'
import { nameStore, openStore } from './store.ts'
import type { SyncStore } from './store-types.ts'
import { createHttpTransport, type Transport } from './transport.ts'

export interface StoreId { userId: string, workspaceId: string }

export interface SyncClientOptions {
  /** The way to the server; over HTTP to the page's own one where it is left out. */
  transport?: Transport | undefined
  /** Where stores are kept; IndexedDB where it is left out. */
  storage?: Storage | undefined
  /** The app's tables. One left out is known from its first `store.table()` on; waiting ops of it migrate only then. */
  tables?: readonly SyncedTable[] | undefined
  /** Milliseconds between pulls that nothing has asked for; 2,000. */
  paceMs?: number | undefined
  /** False: syncs only by `store.sync()`. */
  isAutomatic?: boolean | undefined
  /** False: polls, and opens no live stream. */
  isLive?: boolean | undefined
  /** Epoch milliseconds. */
  now?: (() => number) | undefined
  /** From 0 up to 1, for the jitter of waits. */
  random?: (() => number) | undefined
  /** The Web Locks that choose the leading tab; null: each tab syncs for itself. */
  locks?: LockManager | null | undefined
  /** Sets the stores of several apps of one origin apart, or several devices of one page, as in a demo. */
  profile?: string | undefined
}

export interface SyncClient {
  /** Opens a store, or answers with the one that is open. It never fails for storage: see `status.isDurable`. */
  open(id: StoreId): Promise<SyncStore>
  /**
   * Deletes a store from this browser, as at a sign-out. Throws an `Error` where writes wait or have failed, unless
   * `discards` says that the user gives them up.
   */
  forget(id: StoreId, options?: { discards?: boolean }): Promise<void>
  /** The stores of a user that this browser keeps, open or not: one for each workspace that was opened here. */
  kept(userId: string): Promise<StoreId[]>
  /** Closes all stores. */
  close(): Promise<void>
}

/**
 * Creates a client. Nothing is opened before `open`, so that a server may import and create it too.
 *
 * @example
 * const client = createSyncClient({ tables: [notes] })
 * const store = await client.open({ userId: user.id, workspaceId: workspace.id })
 * const open = store.table(notes).list({ where: note => !note.done })
 * open.subscribe(() => show(open.rows))
 * await store.table(notes).put({ id: '1', text: 'Hello', done: false }).saved
 */
export function createSyncClient(options: SyncClientOptions = {}): SyncClient {
  const transport = options.transport ?? createHttpTransport()
  const storage = options.storage ?? createIndexedDbStorage()
  const stores = new Map<string, Promise<SyncStore>>()

  const nameOf = (id: StoreId) => nameStore({ ...id, profile: options.profile })
  const open = async (id: StoreId): Promise<SyncStore> => {
    const name = nameOf(id)
    const known = await stores.get(name)
    if (known && !known.isClosed) return known
    await known?.close()
    const other = stores.get(name)
    if (other) return other
    const opening = openStore({ ...options, ...id, transport, storage, onClose: () => void stores.delete(name) })
    stores.set(name, opening)
    opening.catch(() => stores.delete(name))
    return opening
  }
  const close = async (name: string) => {
    await (await stores.get(name))?.close()
  }

  return {
    open,
    async forget(id, { discards = false } = {}) {
      if (!discards) {
        const { pending, failures } = (await open(id)).status
        if (pending + failures > 0) {
          throw new Error(`${pending + failures} writes would be lost.`)
        }
      }
      await close(nameOf(id))
      await storage.destroy(nameOf(id))
    },
    async kept(userId) {
      const start = nameOf({ userId, workspaceId: '' })
      const names = new Set([...stores.keys(), ...await storage.list?.() ?? []])
      return [...names].filter(name => name.startsWith(start))
        .map(name => ({ userId, workspaceId: decodeURIComponent(name.slice(start.length)) }))
    },
    async close() {
      await Promise.all([...stores.keys()].map(close))
    },
  }
}
