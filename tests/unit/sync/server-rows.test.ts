/**
 * Rows that the server's own code reads and writes.
 * Seen red: the clock left at 1, the HLC not moved past the row's, the commit not told, told before the commit, a
 * workspace taken out of either query, the op written outside of the app's transaction, a filter that ignores a field.
 */
import { sql } from 'drizzle-orm'
import { beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineSyncedTable } from '../../../shared/synced-table.ts'
import type { PendingOp } from '../../../shared/protocol.ts'
import { createSystemCaller, createUserCaller } from '../../../server/sync/caller.ts'
import type { SyncEngine } from '../../../server/sync/engine.ts'
import { registerSyncedTable } from '../../../server/sync/tables.ts'
import { engineOf } from '../../helpers/engine.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import { putOf, stampOf } from '../../helpers/sync.ts'

const todos = defineSyncedTable('todos', {
  primaryKey: 'id',
  schema: z.looseObject({ id: z.string(), text: z.string(), done: z.boolean().optional() }),
})
const letters = defineSyncedTable('letters', {
  primaryKey: 'id', ownerKey: 'user_id', schema: z.looseObject({ id: z.string(), user_id: z.string() }),
})
const shapes = defineSyncedTable<{ id: string, size: number }>('shapes', {
  primaryKey: 'id', version: 2, migrate: row => ({ id: row['id'] as string, size: Number(row['old']) }),
  fill: (row, { clock }) => ({ ...row, clock }),
})
const system = createSystemCaller('w1')
const ann = createUserCaller('w1', 'ann')

beforeAll(() => {
  for (const table of [todos, letters, shapes]) registerSyncedTable(table)
})

const push = (engine: SyncEngine, ...ops: PendingOp[]) => engine.push(ann, { scope: { workspaceId: 'w1' }, ops })
const todoOp = (pk: string, row: object = {}, stamp = {}) =>
  putOf(pk, { tableName: 'todos', payload: { id: pk, text: pk, ...row }, stamp })
const pullAll = async (engine: SyncEngine, caller = ann) =>
  (await engine.pull(caller, { scope: { workspaceId: caller.workspaceId }, cursor: 0, limit: 1000 })).changes

describe('a write of the server', () => {
  it('reaches every device as an op of the server\'s own device', async () => {
    const engine = engineOf(await openTestDatabase())
    await engine.rows.write(system, rows => rows.put(todos, { id: 'a', text: 'Hello' }, { id: 'b', text: 'you' }))
    const changes = await pullAll(engine)
    expect(changes).toMatchObject([
      { serverVersion: 1, tableName: 'todos', pk: 'a', op: 'put', payload: { id: 'a', text: 'Hello' } },
      { serverVersion: 2, pk: 'b', stamp: { deviceId: 'server', clock: 1 } },
    ])
    expect(changes[0]!.stamp.hlc).toMatch(/^[0-9a-z]{9}:[0-9a-z]{3}:[0-9a-z]{8}$/)
    expect(changes[0]!.stamp.hlc < changes[1]!.stamp.hlc).toBe(true)
  })

  it('wins over what was stored before it, whatever clock and HLC that had', async () => {
    const engine = engineOf(await openTestDatabase())
    const soon = (Date.now() + 3_600_000).toString(36).padStart(9, '0')
    await push(engine, todoOp('a', {}, { clock: 7, hlc: `${soon}:00a:somebody` }))
    await engine.rows.write(system, rows => rows.put(todos, { id: 'a', text: 'server' }))
    const { stamp } = (await pullAll(engine)).at(-1)!
    expect(stamp.clock).toBe(8)
    expect(stamp.hlc > `${soon}:00a:somebody`).toBe(true)
    expect((await engine.rows.readPage(system, todos)).rows).toEqual([{ id: 'a', text: 'server' }])
  })

  it('loses to a device that has edited the row twice meanwhile', async () => {
    const engine = engineOf(await openTestDatabase())
    await push(engine, todoOp('a'))
    await engine.rows.write(system, rows => rows.put(todos, { id: 'a', text: 'server' }))
    await push(engine, todoOp('a', { text: 'twice' }, { clock: 3 }))
    expect((await engine.rows.readPage(system, todos)).rows).toMatchObject([{ text: 'twice' }])
  })

  it('is all or nothing, with an app\'s own tables, and told after its commit only', async () => {
    const database = await openTestDatabase()
    const engine = engineOf(database)
    await database.write(tx => tx.run(sql`create table payments (id text primary key)`))
    const heads: number[] = []
    engine.onCommit(({ head }) => heads.push(head))
    const pay = (fail: boolean) => engine.rows.write(system, async (rows, tx) => {
      rows.put(todos, { id: 'a', text: 'paid' })
      await tx.run(sql`insert into payments (id) values ('p1')`)
      if (fail) throw new Error('The app says no.')
      expect(heads).toEqual([])
      return 'done'
    })
    const count = () => database.read.all(sql`select (select count(*) from payments) as payments, (select count(*) from changes) as changes`)
    await expect(pay(true)).rejects.toThrow('The app says no.')
    expect([await count(), heads]).toEqual([[{ payments: 0, changes: 0 }], []])
    expect(await pay(false)).toBe('done')
    expect([await count(), heads]).toEqual([[{ payments: 1, changes: 1 }], [1]])
    await expect(pay(false)).rejects.toThrow()
    expect([await count(), heads]).toEqual([[{ payments: 1, changes: 1 }], [1]])
  })

  it('changes a row that it reads in its transaction, with what it wrote itself', async () => {
    const engine = engineOf(await openTestDatabase())
    await push(engine, todoOp('a', { text: 'Milk', extra: 1 }))
    const seen = await engine.rows.write(system, async (rows) => {
      const row = await rows.get(todos, 'a')
      rows.put(todos, { ...row!, done: true })
      rows.put(todos, { id: 'b', text: 'x' })
      rows.remove(todos, 'b', 'never')
      return [await rows.get(todos, 'a'), await rows.get(todos, 'b'), await rows.get(todos, 'never')]
    })
    expect(seen).toEqual([{ id: 'a', text: 'Milk', extra: 1, done: true }, undefined, undefined])
    expect((await pullAll(engine)).map(change => change.pk)).toEqual(['a'])
    await engine.rows.write(system, rows => rows.remove(todos, 'a'))
    expect((await pullAll(engine)).at(-1)).toMatchObject({ pk: 'a', op: 'delete', stamp: { clock: 3 } })
    expect((await engine.rows.readPage(system, todos)).rows).toEqual([])
  })

  it('is refused whole for one row that does not fit, for an unknown table and for too many rows', async () => {
    const engine = engineOf(await openTestDatabase())
    const wrong = (row: unknown) => engine.rows.write(system, rows =>
      rows.put(todos, { id: 'a', text: 'fits' }, row as { id: string, text: string }))
    await expect(wrong({ id: 'b' })).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: /todos: text/ })
    await expect(wrong({ text: 'x' })).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: /key in "id"/ })
    await expect(wrong({ id: 'b', text: 'x', workspace_id: 'w2' })).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    const unknown = defineSyncedTable<{ id: string }>('unknown', { primaryKey: 'id' })
    await expect(engine.rows.write(system, rows => rows.put(unknown, { id: 'a' }))).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    await expect(engine.rows.readPage(system, unknown)).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    const many = Array.from({ length: 1_001 }, (_, index) => ({ id: `${index}`, text: 'x' }))
    await expect(engine.rows.write(system, rows => rows.put(todos, ...many))).rejects.toMatchObject({ message: /at most 1000/ })
    expect(await pullAll(engine)).toEqual([])
  })

  it('says of a row with the last clock there is and a later HLC that it cannot be changed', async () => {
    const engine = engineOf(await openTestDatabase())
    await push(engine, todoOp('a', {}, { clock: 2 ** 32 - 1, hlc: 'zzzzzzzzz:zzz:zzzzzzzz' }))
    await expect(engine.rows.write(system, rows => rows.put(todos, { id: 'a', text: 'x' }))).rejects.toMatchObject({ code: 'CONFLICT' })
    expect((await pullAll(engine))).toHaveLength(1)
  })

  it('may write a row of each user, seen by that user alone, and gives no row to another', async () => {
    const engine = engineOf(await openTestDatabase())
    await engine.rows.write(system, rows => rows.put(letters, { id: 'l', user_id: 'ben' }))
    expect(await pullAll(engine)).toEqual([])
    const ben = createUserCaller('w1', 'ben')
    expect(await pullAll(engine, ben)).toHaveLength(1)
    await expect(engine.rows.write(system, rows => rows.put(letters, { id: 'l', user_id: 'ann' })))
      .rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    await expect(engine.rows.write(system, rows => rows.put(letters, { id: 'm', user_id: '' }))).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    await engine.rows.write(system, rows => rows.remove(letters, 'l'))
    expect((await pullAll(engine, ben)).at(-1)).toMatchObject({ op: 'delete' })
    expect(await pullAll(engine)).toEqual([])
  })

  it('waits for no device that claims the server\'s device id', async () => {
    const engine = engineOf(await openTestDatabase())
    await push(engine, todoOp('a'), todoOp('a', {}, { clock: 2 }))
    await engine.rows.write(system, rows => rows.remove(todos, 'a'))
    await engine.updateCursor(ann, { scope: { workspaceId: 'w1' }, deviceId: 'server', version: 0 })
    await engine.database.write(tx => tx.run(sql`update logs set horizon = 3`))
    await engine.rows.write(system, rows => rows.put(todos, { id: 'new', text: 'x' }))
    expect((await engine.rows.readPage(system, todos)).rows).toMatchObject([{ id: 'new' }])
  })

  it('adds what the table fills in, in the table\'s version', async () => {
    const engine = engineOf(await openTestDatabase())
    await engine.rows.write(system, rows => rows.put(shapes, { id: 's', size: 3 }))
    expect((await pullAll(engine))[0]!.payload).toEqual({ id: 's', size: 3, clock: 1, _v: 2 })
  })
})

describe('a page of rows', () => {
  it('holds the current rows of one table and workspace, in key order, page by page', async () => {
    const engine = engineOf(await openTestDatabase())
    await push(engine, ...['c', 'a', 'd', 'b'].map(pk => todoOp(pk)), putOf('message'))
    await push(engine, todoOp('b', { text: 'newer' }, { clock: 2 }))
    await engine.rows.write(system, rows => rows.remove(todos, 'a'))
    await engine.rows.write(createSystemCaller('w2'), rows => rows.put(todos, { id: 'x', text: 'of another workspace' }))
    const first = await engine.rows.readPage(system, todos, { limit: 2 })
    expect(first).toMatchObject({ rows: [{ id: 'b', text: 'newer' }, { id: 'c' }], next: 'c' })
    expect(await engine.rows.readPage(system, todos, { limit: 2, after: first.next! })).toMatchObject({ rows: [{ id: 'd' }], next: null })
    expect((await engine.rows.readPage(createSystemCaller('w3'), todos))).toEqual({ rows: [], next: null })
    for (const limit of [0, 1.5, 1_001, Number.NaN]) {
      await expect(engine.rows.readPage(system, todos, { limit })).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    }
  })

  it('is filtered by fields, through more rows than one statement reads', async () => {
    const engine = engineOf(await openTestDatabase())
    const texts = ['plain', 'a "quote" and \\', 'line\nbreak', '🙂 é', '', 'true']
    const ops = Array.from({ length: 600 }, (_, index) =>
      todoOp(`t${String(index).padStart(3, '0')}`, { text: texts[index % texts.length], done: index % 3 === 0 ? true : index % 3 === 1 ? false : undefined }))
    await push(engine, ...ops)
    const find = async (where: { text?: string, done?: boolean }) => {
      const { rows, next } = await engine.rows.readPage(system, todos, { where, limit: 1000 })
      expect(next).toBeNull()
      return rows
    }
    for (const text of texts) expect((await find({ text })).map(row => row.text)).toEqual(Array.from({ length: 100 }, () => text))
    expect(await find({ done: true })).toHaveLength(200)
    expect(await find({ done: false, text: 'line\nbreak' })).toHaveLength(0)
    expect(await find({ done: true, text: 'plain' })).toHaveLength(100)
    expect(await find({ text: '1' })).toEqual([])
    expect(await find({ text: undefined } as object)).toHaveLength(600)
  })

  it('shows rows of an older version migrated, and none of a newer one', async () => {
    const engine = engineOf(await openTestDatabase())
    const shapeOp = (pk: string, row: object) => putOf(pk, { tableName: 'shapes', payload: { id: pk, ...row }, stamp: stampOf() })
    await push(engine, shapeOp('old', { old: '4' }), shapeOp('now', { size: 5, _v: 2 }), shapeOp('newer', { length: 6, _v: 3 }))
    expect((await engine.rows.readPage(system, shapes)).rows).toMatchObject([{ id: 'now', size: 5 }, { id: 'old', size: 4 }])
    await expect(engine.rows.write(system, rows => rows.get(shapes, 'newer'))).rejects.toMatchObject({ code: 'CONFLICT' })
  })
})
