/** The shape of an app's rows changes: older ones are migrated, newer ones kept as they are, waiting ops go along. */
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineSyncedTable, type SyncedTable } from '../../../client/index.ts'
import { createBrowser, fingerprint, openLeading } from './devices.ts'
import { startServer } from './server.ts'

const common = { post_type: 'doc', deleted: false, created_at: 1, updated_at: 1, clock: 1 }
const fill = (row: object) => ({ ...common, content: '', ...row })
const first = defineSyncedTable<{ id: string, title: string }>('posts', { primaryKey: 'id', fill })
const second = defineSyncedTable<{ id: string, title: string, words: number }>('posts', {
  primaryKey: 'id', fill, version: 2,
  migrate(row) {
    const title = String(row['title'])
    return { ...row, id: String(row['id']), title, words: title.split(' ').length }
  },
})

/** A start of the app with these tables, on the same browser where it is named. */
async function start(server: Awaited<ReturnType<typeof startServer>>, table: SyncedTable, profile = createBrowser()) {
  return openLeading(server.transportOf(), { tables: [table], profile })
}

describe('a newer app', () => {
  it('sees older rows in its own shape, stored ones and those that come from older devices', async () => {
    const server = await startServer()
    const profile = createBrowser()
    const before = await start(server, first, profile)
    before.table(first).put({ id: 'p1', title: 'two words' })
    await before.sync()
    await before.close()
    const after = await start(server, second, profile)
    expect(after.table(second).get('p1')).toMatchObject({ words: 2 })
    const old = await start(server, first)
    old.table(first).put({ id: 'p2', title: 'of an old device' })
    await old.sync()
    const list = after.table(second).list({ where: row => row.words > 2 })
    await after.sync()
    expect(list.rows.map(({ id, words }) => [id, words])).toEqual([['p2', 4]])
    expect(fingerprint(after)).toBe(fingerprint(old))
  })

  it('pushes what waited in its own shape, as a new op', async () => {
    const server = await startServer()
    const profile = createBrowser()
    const before = await start(server, first, profile)
    await before.sync()
    await before.table(first).put({ id: 'p1', title: 'waits a bit' }).saved
    const [old] = [...before.entries()]
    await before.close()
    const after = await start(server, second, profile)
    const [entry] = [...after.entries()]
    expect(entry).toMatchObject({ clock: old!.clock, row: { words: 3, _v: 2 } })
    expect(entry!.opId).not.toBe(old!.opId)
    expect(await after.sync()).toMatchObject({ ok: true, pushed: 1, refused: 0 })
    const other = await start(server, second)
    await other.sync()
    expect(other.table(second).get('p1')).toMatchObject({ words: 3 })
  })
})

describe('an older app', () => {
  it('hides rows of a newer shape, keeps them as they are, and does not overwrite them', async () => {
    const server = await startServer()
    const newer = await start(server, second)
    newer.table(second).put({ id: 'p1', title: 'new shape', words: 2 })
    await newer.sync()
    const profile = createBrowser()
    const older = await start(server, first, profile)
    await older.sync()
    const table = older.table(first)
    expect([table.get('p1'), table.list().rows]).toEqual([undefined, []])
    expect(() => table.put({ id: 'p1', title: 'over it' })).toThrow('newer shape')
    expect(() => table.patch('p1', { title: 'over it' })).toThrow('newer shape')
    expect(() => table.remove('p1')).toThrow('newer shape')
    expect(fingerprint(older)).toBe(fingerprint(newer))
    await older.close()
    const updated = await start(server, second, profile)
    expect(updated.table(second).get('p1')).toMatchObject({ title: 'new shape', words: 2 })
  })

  it('goes on where a row cannot be migrated', async () => {
    const server = await startServer()
    const broken = defineSyncedTable<{ id: string, title: string }>('posts', {
      primaryKey: 'id', fill, version: 2,
      migrate(row) {
        if (row['title'] === 'bad') throw new Error('cannot be read')
        return { id: String(row['id']), title: 'good' }
      },
    })
    const before = await start(server, first)
    before.table(first).put({ id: 'p1', title: 'bad' })
    before.table(first).put({ id: 'p2', title: 'fine' })
    await before.sync()
    const after = await start(server, broken)
    await after.sync()
    expect(after.table(broken).list().rows).toEqual([{ id: 'p2', title: 'good' }])
  })
})

describe('a definition', () => {
  it('is refused where it makes no sense', () => {
    expect(() => defineSyncedTable<{ id: string }>('', { primaryKey: 'id' })).toThrow('1 to 128 characters')
    expect(() => defineSyncedTable<{ id: string }>('a', { primaryKey: 'id', version: 0 })).toThrow('version 0')
    expect(() => defineSyncedTable<{ id: string }>('a', { primaryKey: 'id', version: 2 })).toThrow('migrate')
  })

  it('checks local writes by its schema, before anything is stored', async () => {
    const schema = z.looseObject({ id: z.string(), title: z.string().max(5) })
    const checked = defineSyncedTable('posts', { primaryKey: 'id', schema })
    const server = await startServer()
    const store = await start(server, checked)
    expect(() => store.table(checked).put({ id: 'p1', title: 'too long' }))
      .toThrow(/does not fit the table "posts": title/)
    expect(() => store.table(checked).put({ id: '', title: 'x' })).toThrow('needs its key in "id"')
    expect(() => store.table(checked).patch('p1', { title: 'x' })).toThrow('no row "p1"')
    expect(store.status.pending).toBe(0)
  })
})
