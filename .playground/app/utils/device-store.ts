/**
 * What a device of the page keeps over a reload, in IndexedDB: one record a device, workspace and user.
 * localStorage would be simpler and is too small for an imported history.
 */
import type { ReplicaState } from '../sync/replica.ts'

export interface SavedDevice {
  state: ReplicaState
  online: boolean
  threadId: string | null
}

const DATABASE = 'or3-playground'
const STORE = 'devices'

let opening: Promise<IDBDatabase> | undefined

export async function loadDevice(key: string): Promise<SavedDevice | undefined> {
  const store = await openStore('readonly')
  return await settle<SavedDevice | undefined>(store.get(key))
}

export async function saveDevice(key: string, saved: SavedDevice): Promise<void> {
  const store = await openStore('readwrite')
  const request = store.put(saved, key)
  // A page that is being left has no turn of the event loop left in which the transaction could close by itself.
  store.transaction.commit()
  await settle(request)
}

export async function forgetDevice(key: string): Promise<void> {
  const store = await openStore('readwrite')
  await settle(store.delete(key))
}

async function openStore(mode: IDBTransactionMode): Promise<IDBObjectStore> {
  opening ??= openDatabase()
  const database = await opening
  return database.transaction(STORE, mode).objectStore(STORE)
}

function openDatabase(): Promise<IDBDatabase> {
  const request = indexedDB.open(DATABASE, 1)
  request.onupgradeneeded = () => request.result.createObjectStore(STORE)
  return settle(request)
}

function settle<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error ?? new Error('IndexedDB refused the request.'))
  })
}
