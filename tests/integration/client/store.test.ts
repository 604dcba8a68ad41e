/** A store on a real server engine: writes show at once, are saved, pushed, and come to the other device. */
import { describe, expect, it } from 'vitest'
import { clearDatabases, createBrowser, fingerprint, openLeading, openTab, type Post, posts, until } from './devices.ts'
import { startServer } from './server.ts'

describe('two devices', () => {
  it('end up with the same rows, and the second one begins with a snapshot', async () => {
    const server = await startServer()
    const a = await openLeading(server.transportOf())
    const { saved } = a.table(posts).put({ id: 'p1', title: 'Hello' })
    expect(a.table(posts).get('p1')).toMatchObject({ title: 'Hello', clock: 1 })
    expect(a.status).toMatchObject({ pending: 1, isDurable: true })
    expect(await saved).toBe(true)
    expect(await a.sync()).toMatchObject({ ok: true, pushed: 1 })
    expect(a.status).toMatchObject({ pending: 0, isComplete: true, cursor: 1, head: 1 })

    const b = await openLeading(server.transportOf())
    expect(await b.sync()).toMatchObject({ ok: true, snapshot: true })
    expect(b.table(posts).get('p1')).toEqual(a.table(posts).get('p1'))
    b.table(posts).patch('p1', { title: 'Hello again' })
    b.table(posts).put({ id: 'p2', title: 'Second' })
    b.table(posts).remove('p2')
    await b.sync()
    await a.sync()
    expect(a.table(posts).get('p1')?.title).toBe('Hello again')
    expect(fingerprint(a)).toBe(fingerprint(b))
  })

  it('rows are frozen, with all that is in them', async () => {
    const server = await startServer()
    const store = await openLeading(server.transportOf())
    store.table(posts).put({ id: 'p1', title: 'Hello', ...{ meta: { tags: ['a'] } } })
    const row = store.table(posts).get('p1') as Post & { meta: { tags: string[] } }
    expect(() => (row.title = 'x')).toThrow(TypeError)
    expect(() => row.meta.tags.push('b')).toThrow(TypeError)
  })
})

describe('a store on disk', () => {
  it('holds rows, writes that wait and its cursor when it is opened again', async () => {
    const server = await startServer()
    const profile = createBrowser()
    const before = await openLeading(server.transportOf(), { profile })
    before.table(posts).put({ id: 'p1', title: 'pushed' })
    await before.sync()
    await before.table(posts).put({ id: 'p2', title: 'waits' }).saved
    const { deviceId, cursor } = before.status
    const print = fingerprint(before)
    await before.close()

    const after = await openLeading(server.transportOf(), { profile })
    expect(after.status).toMatchObject({ deviceId, cursor, pending: 1, isComplete: true })
    expect(fingerprint(after)).toBe(print)
    expect(await after.sync()).toMatchObject({ ok: true, pushed: 1, snapshot: false })
  })

  it('is closed within a second, also while a request gets no answer, and takes no more writes', async () => {
    const server = await startServer()
    const store = await openLeading({ ...server.transportOf(), snapshot: () => new Promise(() => {}) })
    void store.sync()
    await until(() => store.status.isSyncing)
    const startedAt = performance.now()
    await store.close()
    expect(performance.now() - startedAt).toBeLessThan(1_500)
    expect(() => store.table(posts).put({ id: 'p1', title: 'late' })).toThrow('closed')
  })

  it('belongs to one user and one workspace', async () => {
    const server = await startServer()
    const client = openTab(server.transportOf())
    const mine = await client.open({ userId: 'user-1', workspaceId: 'w1' })
    const other = await client.open({ userId: 'user-2', workspaceId: 'w1' })
    const elsewhere = await client.open({ userId: 'user-1', workspaceId: 'w2' })
    await mine.table(posts).put({ id: 'p1', title: 'mine' }).saved
    expect([...other.entries(), ...elsewhere.entries()]).toEqual([])
    expect(await client.open({ userId: 'user-1', workspaceId: 'w1' })).toBe(mine)
    expect(new Set([mine, other, elsewhere].map(store => store.status.deviceId)).size).toBe(3)
  })

  it('is forgotten only without writes that would be lost', async () => {
    const server = await startServer()
    clearDatabases()
    const client = openTab(server.transportOf())
    const id = { userId: 'user-1', workspaceId: 'w1' }
    await (await client.open(id)).table(posts).put({ id: 'p1', title: 'waits' }).saved
    await expect(client.forget(id)).rejects.toThrow('1 writes would be lost')
    await client.forget(id, { discards: true })
    expect(await indexedDB.databases()).toEqual([])
    expect([...(await client.open(id)).entries()]).toEqual([])
  })
})
