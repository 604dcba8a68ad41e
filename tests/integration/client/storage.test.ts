/** Storage that is absent, silent, full, deleted or taken away: the client goes on in memory, and says so. P12. */
import { IDBFactory, IDBObjectStore, IDBOpenDBRequest } from 'fake-indexeddb'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createIndexedDbStorage, createMemoryStorage } from '../../../client/index.ts'
import { clearDatabases, createBrowser, fingerprint, openLeading, openTab, posts, until } from './devices.ts'
import { openMortalTab } from './mortal-tab.ts'
import { startServer } from './server.ts'

const id = { userId: 'user-1', workspaceId: 'w1' }

describe('a browser without a store', () => {
  it.each([
    ['absent', () => vi.stubGlobal('indexedDB', undefined)],
    ['timeout', () => vi.stubGlobal('indexedDB', { open: () => new IDBOpenDBRequest() })],
    ['failed', () => vi.stubGlobal('indexedDB', { open: () => { throw new Error('no storage in a private window') } })],
  ])('works in memory where IndexedDB is %s', async (problem, breakIt) => {
    const server = await startServer()
    breakIt()
    onTestFinished(() => void vi.unstubAllGlobals())
    const startedAt = performance.now()
    const store = await openLeading(server.transportOf())
    expect(performance.now() - startedAt).toBeLessThan(2_000)
    expect(store.status).toMatchObject({ isDurable: false, storageProblem: problem })
    expect(await store.table(posts).put({ id: 'p1', title: 'Hello' }).saved).toBe(false)
    expect(await store.sync()).toMatchObject({ ok: true, pushed: 1 })
    expect(server.calls.updateCursor).toBe(0)
  })

  it('takes a storage of its own, such as one in memory', async () => {
    const server = await startServer()
    const client = openTab(server.transportOf(), { storage: createMemoryStorage() })
    const store = await client.open(id)
    store.table(posts).put({ id: 'p1', title: 'Hello' })
    await until(() => store.status.isLeader)
    await store.sync()
    store.table(posts).put({ id: 'p2', title: 'waits' })
    const print = fingerprint(store)
    await store.close()
    const again = await client.open(id)
    expect(fingerprint(again)).toBe(print)
    expect(again.status.pending).toBe(1)
  })
})

describe('a store that is lost while it is used', () => {
  async function openUsed() {
    clearDatabases()
    const server = await startServer()
    const profile = createBrowser()
    const store = await openLeading(server.transportOf(), { profile })
    store.table(posts).put({ id: 'p1', title: 'pushed' })
    await store.sync()
    await store.table(posts).put({ id: 'p2', title: 'waits' }).saved
    return { server, profile, store, deviceId: store.status.deviceId }
  }

  async function expectToGoOn({ server, store, deviceId }: Awaited<ReturnType<typeof openUsed>>, problem: string) {
    expect(await store.table(posts).put({ id: 'p3', title: 'later' }).saved).toBe(false)
    expect(store.status).toMatchObject({ isDurable: false, storageProblem: problem, pending: 2 })
    // The server knows the cursor of the store on disk: what goes on in memory is another device.
    expect(store.status.deviceId).not.toBe(deviceId)
    await until(() => store.status.isLeader)
    expect(await store.sync()).toMatchObject({ ok: true, pushed: 2 })
    const other = await openLeading(server.transportOf())
    await other.sync()
    expect(other.table(posts).list().rows).toHaveLength(3)
    expect(fingerprint(other)).toBe(fingerprint(store))
  }

  it('because it is full, goes on in memory', async () => {
    const used = await openUsed()
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => {
      throw new DOMException('The quota has been exceeded.', 'QuotaExceededError')
    })
    onTestFinished(() => void vi.restoreAllMocks())
    const waiting = used.store.table(posts).put({ id: 'p3', title: 'later' }).saved
    expect(await waiting).toBe(false)
    vi.restoreAllMocks()
    await expectToGoOn(used, 'full')
  })

  it('because it is deleted, goes on in memory, and the next start has a store again', async () => {
    const used = await openUsed()
    const request = indexedDB.deleteDatabase(`or3-sync:${used.profile}/user-1/w1`)
    await new Promise(resolve => (request.onsuccess = resolve))
    await until(() => !used.store.status.isDurable)
    await expectToGoOn(used, 'deleted')
    await used.store.close()
    const again = await openLeading(used.server.transportOf(), { profile: used.profile })
    await again.sync()
    expect(again.status.isDurable).toBe(true)
    expect(again.table(posts).list().rows).toHaveLength(3)
  })

  it('because it was emptied behind its back, goes on in memory', async () => {
    const used = await openUsed()
    globalThis.indexedDB = new IDBFactory()
    vi.spyOn(IDBObjectStore.prototype, 'get').mockImplementation(() => {
      throw new DOMException('The connection was closed.', 'InvalidStateError')
    })
    onTestFinished(() => void vi.restoreAllMocks())
    const waiting = used.store.table(posts).put({ id: 'p3', title: 'later' }).saved
    expect(await waiting).toBe(false)
    vi.restoreAllMocks()
    await expectToGoOn(used, 'failed')
  })

  it('for a moment, opens it again and keeps what waited', async () => {
    const { server, store, deviceId } = await openUsed()
    const put = IDBObjectStore.prototype.put
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementationOnce(() => {
      throw new DOMException('The connection was closed.', 'InvalidStateError')
    })
    onTestFinished(() => void vi.restoreAllMocks())
    expect(await store.table(posts).put({ id: 'p3', title: 'later' }).saved).toBe(true)
    expect(IDBObjectStore.prototype.put).not.toBe(put)
    expect(store.status).toMatchObject({ isDurable: true, pending: 2, deviceId })
    expect(await store.sync()).toMatchObject({ ok: true, pushed: 2 })
    expect(server.calls.push).toBe(2)
  })
})

describe('a tab that dies at a step of its storage', () => {
  it('loses nothing that was saved and writes nothing twice, whichever step it is', async () => {
    for (let step = 0; step < 12; step++) {
      for (const before of [true, false]) {
        const server = await startServer()
        const profile = createBrowser()
        const tab = await openMortalTab({ transport: server.transportOf(), profile })
        await until(() => tab!.store.status.isLeader)
        const table = tab!.store.table(posts)
        tab!.dieAt(step, before)
        const saved: string[] = []
        for (const pk of ['a', 'b']) {
          void table.put({ id: pk, title: pk }).saved.then(isSaved => isSaved && saved.push(pk))
          await Promise.race([tab!.store.sync(), until(() => tab!.isDead, 10_000).catch(() => {})])
        }
        tab!.kill()
        const again = await openLeading(server.transportOf(), { profile })
        await again.sync()
        const fresh = await openLeading(server.transportOf())
        await fresh.sync()
        expect(fresh.table(posts).list().rows.map(({ id }) => id)).toEqual(expect.arrayContaining(saved))
        expect(fresh.status.head).toBeLessThanOrEqual(2)
        expect(fingerprint(again)).toBe(fingerprint(fresh))
      }
    }
  }, 60_000)
})

it('keeps rows in segments, folds the tail in, and reads the same again', async () => {
  const server = await startServer()
  const profile = createBrowser()
  const store = await openLeading(server.transportOf(), { profile, storage: createIndexedDbStorage() })
  await store.sync()
  const writer = await openLeading(server.transportOf())
  for (let round = 0; round < 2; round++) {
    for (let at = 0; at < 2_100; at++) writer.table(posts).put({ id: `p${at}`, title: `${round}` })
    await writer.sync()
    await store.sync()
  }
  const print = fingerprint(store)
  await store.close()
  const sizes = await countRecords(`or3-sync:${profile}/user-1/w1`)
  expect(sizes.tail).toBeLessThan(2_000)
  expect(sizes.segments).toBeLessThanOrEqual(4)
  const again = await openLeading(server.transportOf(), { profile })
  expect(fingerprint(again)).toBe(print)
}, 120_000)

async function countRecords(name: string) {
  const database = await new Promise<IDBDatabase>((resolve) => {
    const request = indexedDB.open(name)
    request.onsuccess = () => resolve(request.result)
  })
  const count = (store: string) => new Promise<number>((resolve) => {
    const request = database.transaction(store).objectStore(store).count()
    request.onsuccess = () => resolve(request.result)
  })
  const sizes = { tail: await count('tail'), segments: await count('segments') }
  database.close()
  return sizes
}
