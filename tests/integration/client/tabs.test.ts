/** Several tabs of one browser: one talks to the server, all read and write at once; with Web Locks and without. */
import { describe, expect, it } from 'vitest'
import {
  createIndexedDbStorage, createSyncClient, type SyncClientOptions, type SyncStore, type Transport,
} from '../../../client/index.ts'
import { createBrowser, fingerprint, openLeading, openTab, posts, until } from './devices.ts'
import { openMortalTab } from './mortal-tab.ts'
import { startServer } from './server.ts'

const id = { userId: 'user-1', workspaceId: 'w1' }

async function openPair(options: SyncClientOptions = {}) {
  const server = await startServer()
  const profile = createBrowser()
  const first = await openLeading(server.transportOf(), { profile, ...options })
  const second = await openTab(server.transportOf(), { profile, ...options }).open(id)
  return { server, profile, first, second }
}

describe('two tabs', () => {
  it('share one device, one leads, and each hears of the other\'s writes before the server does', async () => {
    const { server, first, second } = await openPair()
    expect(second.status.isLeader).toBe(false)
    expect(second.status.deviceId).toBe(first.status.deviceId)
    second.table(posts).put({ id: 'p1', title: 'from the second' })
    await until(() => first.table(posts).get('p1') !== undefined)
    first.table(posts).patch('p1', { title: 'from the first' })
    await until(() => second.table(posts).get('p1')?.title === 'from the first')
    expect(server.calls.push).toBe(0)
    expect(await first.sync()).toMatchObject({ ok: true, pushed: 1 })
    await until(() => second.status.pending === 0 && second.status.lastSyncAt !== undefined)
    expect(second.status).toMatchObject({ isComplete: true, cursor: first.status.cursor })
    expect(fingerprint(second)).toBe(fingerprint(first))
  })

  it('write offline at the same time, and both writes arrive', async () => {
    const { first, second } = await openPair()
    first.setOnline(false)
    await until(() => !second.status.isOnline)
    for (let at = 0; at < 20; at++) {
      first.table(posts).put({ id: `a${at}`, title: 'a' })
      second.table(posts).put({ id: `b${at}`, title: 'b' })
    }
    await until(() => first.status.pending === 40 && second.status.pending === 40)
    expect(await first.sync()).toBeUndefined()
    second.setOnline(true)
    await until(() => first.status.isOnline)
    expect(await first.sync()).toMatchObject({ ok: true, pushed: 40 })
    await until(() => second.status.pending === 0)
    expect(fingerprint(second)).toBe(fingerprint(first))
  })

  // Seen red: the op waited until the leading tab stored something by itself.
  it('push what one stored that did not live to tell of it', async () => {
    const server = await startServer()
    const profile = createBrowser()
    const first = await openLeading(server.transportOf(), { profile })
    const second = await openMortalTab({ transport: server.transportOf(), profile })
    await first.sync()
    second!.dieAt(0, false)
    second!.store.table(posts).put({ id: 'p1', title: 'stored, not told' })
    await until(() => second!.isDead)
    expect(await first.sync()).toMatchObject({ ok: true, pushed: 1 })
    expect(first.table(posts).get('p1')).toMatchObject({ title: 'stored, not told' })
  })

  // Seen red: the page was dropped, and the run ended as if it had read to the head.
  it('read to the head where one went on and did not live to tell of it', async () => {
    const server = await startServer()
    const profile = createBrowser()
    const first = await openTab(server.transportOf(), { profile, locks: null }).open(id)
    await first.sync()
    const second = await openMortalTab({ transport: server.transportOf(), profile, locks: null })
    const other = await openLeading(server.transportOf())
    const put = async (pk: string) => {
      other.table(posts).put({ id: pk, title: 'x' })
      await other.sync()
    }
    await put('p1')
    // After the look at the store comes the page.
    second!.dieAt(1, false)
    void second!.store.sync()
    await until(() => second!.isDead)
    await put('p2')
    expect(await first.sync()).toMatchObject({ ok: true, pulled: 1 })
    expect(['p1', 'p2'].map(pk => first.table(posts).get(pk)?.title)).toEqual(['x', 'x'])
  })

  it('go on within a second when the leading one dies', async () => {
    const server = await startServer()
    const profile = createBrowser()
    const first = await openMortalTab({ transport: server.transportOf(), profile })
    await until(() => first!.store.status.isLeader)
    const second = await openTab(server.transportOf(), { profile }).open(id)
    await first!.store.table(posts).put({ id: 'p1', title: 'left behind' }).saved
    first!.kill()
    await until(() => second.status.isLeader, 1_000)
    expect(await second.sync()).toMatchObject({ ok: true, pushed: 1 })
  })

  it('sync correctly each for itself without Web Locks', async () => {
    const { first, second } = await openPair({ locks: null })
    await until(() => second.status.isLeader)
    for (let at = 0; at < 30; at++) (at % 2 ? first : second).table(posts).put({ id: `p${at % 7}`, title: `${at}` })
    const reports = await Promise.all([first.sync(), second.sync()])
    expect(reports).toMatchObject([{ ok: true }, { ok: true }])
    await until(() => first.status.pending + second.status.pending === 0)
    await Promise.all([first.sync(), second.sync()])
    await until(() => fingerprint(first) === fingerprint(second))
    expect([...first.failures, ...second.failures]).toEqual([])
    expect(first.status.deviceId).toBe(second.status.deviceId)
  })

  it('do not overwrite each other\'s newer rows, also where one does not hear of the other', async () => {
    const server = await startServer()
    const profile = createBrowser()
    let hold: (() => void) | undefined
    let isHolding = false
    const slow = server.transportOf('user-1', { after: async (route) => {
      if (isHolding && route === 'pull') await new Promise<void>(resolve => (hold = resolve))
    } })
    const late = await openLeading(slow, { profile, locks: null })
    await late.sync()
    const silent = await openSilently(() => openLeading(server.transportOf(), { profile, locks: null }))
    const other = await openLeading(server.transportOf())
    other.table(posts).put({ id: 'p1', title: 'older' })
    await other.sync()
    isHolding = true
    const syncing = late.sync()
    await until(() => hold !== undefined)
    isHolding = false
    other.table(posts).patch('p1', { title: 'newer' })
    await other.sync()
    await silent.sync()
    hold!()
    await syncing
    await Promise.all([late.close(), silent.close()])
    const again = await openLeading(server.transportOf(), { profile })
    expect(again.status.cursor).toBe(2)
    expect(again.table(posts).get('p1')?.title).toBe('newer')
  })

  it('load the store again where a message was missed', async () => {
    const server = await startServer()
    const profile = createBrowser()
    const deaf = await openTab(server.transportOf(), { profile }).open(id)
    const silent = await openSilently(() => openTab(server.transportOf(), { profile }).open(id))
    await silent.table(posts).put({ id: 'p1', title: 'unheard' }).saved
    await deaf.table(posts).put({ id: 'p2', title: 'own' }).saved
    await until(() => deaf.table(posts).get('p1') !== undefined)
    expect(deaf.status.pending).toBe(2)
  })

  it('that boot at once make one store', async () => {
    const server = await startServer()
    for (let round = 0; round < 20; round++) {
      const profile = createBrowser()
      const tabs = [0, 1, 2].map(() => openTab(server.transportOf(), { profile }))
      const stores = await Promise.all(tabs.map(tab => tab.open(id)))
      await until(() => stores.filter(store => store.status.isLeader).length === 1)
      expect(new Set(stores.map(store => store.status.deviceId)).size).toBe(1)
      await Promise.all(tabs.map(tab => tab.close()))
    }
  })

  it('sync by themselves, and a hint in a tab that does not lead starts a pull in the one that does', async () => {
    const { server, first, second } = await openPair({ isAutomatic: true, paceMs: 60_000 })
    await until(() => first.status.isComplete && !first.status.isSyncing)
    const other = await openLeading(server.transportOf())
    other.table(posts).put({ id: 'p1', title: 'elsewhere' })
    await other.sync()
    second.hint(other.status.head)
    await until(() => second.table(posts).get('p1') !== undefined)
    second.table(posts).put({ id: 'p2', title: 'pushed soon' })
    await until(() => first.status.pending === 0 && first.table(posts).get('p2') !== undefined)
  })
})

describe('a copied profile', () => {
  it('is noticed by the first write of the other copy, and becomes a device of its own', async () => {
    const server = await startServer()
    const profile = createBrowser()
    const original = await openLeading(server.transportOf(), { profile })
    original.table(posts).put({ id: 'p1', title: 'before the copy' })
    await original.sync()
    await original.close()
    const copy = createBrowser()
    await copyDatabase(`or3-sync:${profile}/user-1/w1`, `or3-sync:${copy}/user-1/w1`)

    const a = await openLeading(server.transportOf(), { profile })
    const b = await openLeading(server.transportOf(), { profile: copy })
    const { deviceId } = a.status
    expect(b.status.deviceId).toBe(deviceId)
    a.table(posts).put({ id: 'p2', title: 'of the original' })
    await a.sync()
    await b.sync()
    await until(() => b.status.deviceId !== deviceId)
    b.table(posts).put({ id: 'p3', title: 'of the copy' })
    await b.sync()
    await a.sync()
    await a.sync()
    expect(a.status.deviceId).toBe(deviceId)
    expect(fingerprint(a)).toBe(fingerprint(b))
  })

  it('is noticed where the other copy has reported a newer cursor', async () => {
    const server = await startServer()
    const profile = createBrowser()
    const store = await openLeading(server.transportOf(), { profile })
    await store.sync()
    const { deviceId } = store.status
    const other = await openLeading(server.transportOf())
    for (const title of ['1', '2', '3']) {
      other.table(posts).put({ id: 'p1', title })
      await other.sync()
    }
    await server.transportOf().updateCursor({ scope: { workspaceId: 'w1' }, deviceId, version: 3 })
    await store.close()
    let pulls = 0
    const slow = server.transportOf('user-1', { before: (route) => {
      if (route === 'pull' && pulls++ > 0) throw new Error('one pull is enough')
    } })
    const onePage: Transport = {
      ...slow, pull: async request => ({ ...await slow.pull({ ...request, limit: 1 }), hasMore: false }),
    }
    const again = await openLeading(onePage, { profile })
    await again.sync()
    await until(() => again.status.deviceId !== deviceId)
  })
})

/** A tab that tells the others nothing. */
async function openSilently(open: () => Promise<SyncStore>): Promise<SyncStore> {
  const Original = globalThis.BroadcastChannel
  globalThis.BroadcastChannel = class extends Original {
    override postMessage() {}
  }
  const store = await open()
  globalThis.BroadcastChannel = Original
  return store
}

async function copyDatabase(from: string, to: string): Promise<void> {
  const source = await openRaw(from)
  const profile = to.slice('or3-sync:'.length).split('/')[0]
  const target = createSyncClient({ storage: createIndexedDbStorage(), isAutomatic: false, profile })
  await (await target.open(id)).close()
  const copy = await openRaw(to)
  for (const name of source.objectStoreNames) {
    const [keys, values] = await Promise.all([read(source, name, 'getAllKeys'), read(source, name, 'getAll')])
    const store = copy.transaction(name, 'readwrite').objectStore(name)
    await settle(store.clear())
    for (const [at, value] of values.entries()) {
      await settle(store.keyPath ? store.put(value) : store.put(value, keys[at] as IDBValidKey))
    }
  }
  source.close()
  copy.close()
}

function openRaw(name: string): Promise<IDBDatabase> {
  return settle(indexedDB.open(name))
}

function read(database: IDBDatabase, name: string, method: 'getAll' | 'getAllKeys'): Promise<unknown[]> {
  const store = database.transaction(name).objectStore(name)
  return method === 'getAll' ? settle(store.getAll()) : settle(store.getAllKeys())
}

function settle<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}
