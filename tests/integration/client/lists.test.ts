/** Lists follow their table change by change, and only those that a change belongs to move. */
import fc from 'fast-check'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { JsonObject } from '../../../shared/protocol.ts'
import { createList } from '../../../client/list.ts'
import { defineSyncedTable } from '../../../client/index.ts'
import { runs } from '../../property/scale.ts'
import { openLeading } from './devices.ts'
import { startServer } from './server.ts'

interface Task { id: string, list: string, done: boolean, rank: number }
const tasks = defineSyncedTable<Task>('tasks', { primaryKey: 'id', indexes: ['list'] })

async function openTasks() {
  const server = await startServer()
  const store = await openLeading(server.transportOf(), { tables: [tasks] })
  return store.table(tasks)
}

describe('a list', () => {
  it('is filtered and sorted, and a new array exactly when it has changed', async () => {
    const table = await openTasks()
    const open = table.list({ where: task => !task.done, sort: (a, b) => b.rank - a.rank })
    const done = table.list({ where: task => task.done })
    let told = 0
    open.subscribe(() => told++)
    table.put({ id: 'a', list: 'x', done: false, rank: 1 })
    table.put({ id: 'b', list: 'x', done: false, rank: 2 })
    expect(open.rows.map(({ id }) => id)).toEqual(['b', 'a'])
    const { rows } = open
    expect(done.rows).toEqual([])
    table.put({ id: 'c', list: 'x', done: true, rank: 3 })
    expect(open.rows).toBe(rows)
    expect(told).toBe(2)
    table.patch('b', { done: true })
    expect([open.rows, done.rows].map(list => list.map(({ id }) => id))).toEqual([['a'], ['b', 'c']])
    table.remove('a')
    expect(open.rows).toEqual([])
    open.close()
    table.put({ id: 'd', list: 'x', done: false, rank: 1 })
    expect([open.rows, told]).toEqual([[], 4])
  })

  it('equals a filter and a sort from scratch, after any changes', () => {
    const row = fc.record({ id: fc.constantFrom(...'abcdefghij'), rank: fc.nat(3), done: fc.boolean() })
    const batch = fc.array(fc.tuple(row, fc.boolean()), { minLength: 1, maxLength: 30 })
    fc.assert(fc.property(fc.array(batch, { maxLength: 8 }), fc.nat(12), (batches, limit) => {
      const rows = new Map<string, { id: string, rank: number, done: boolean } & JsonObject>()
      const options = {
        where: (one: JsonObject) => !one['done'],
        sort: (a: JsonObject, b: JsonObject) => Number(a['rank']) - Number(b['rank']),
      }
      const list = createList([], options, 'id', () => {})
      const short = createList([], { ...options, limit }, 'id', () => {})
      for (const changes of batches) {
        const before = new Map(rows)
        for (const [one, isPut] of changes) {
          if (isPut) rows.set(one.id, one)
          else rows.delete(one.id)
        }
        const ids = new Set(changes.map(([{ id }]) => id))
        const told = Array.from(ids, pk => ({ pk, before: before.get(pk), after: rows.get(pk) }))
        const changed = told.filter(one => one.before !== one.after)
        list.take(changed)
        const [shown, copy] = [short.rows, [...short.rows]]
        const hasChanged = short.take(changed)
        const expected = [...rows.values()]
          .filter(one => !one.done)
          .sort((a, b) => a.rank - b.rank || (a.id < b.id ? -1 : 1))
        expect(list.rows).toEqual(expected)
        expect(short.rows).toEqual(expected.slice(0, limit))
        // What an app holds stays as it is, and is the list as long as nothing of it changed.
        expect(shown).toEqual(copy)
        expect(short.rows === shown).toBe(!hasChanged)
        expect(hasChanged).toBe(copy.length !== short.rows.length || copy.some((one, at) => one !== short.rows[at]))
      }
    }), runs(200))
  })
})

describe('a look-up', () => {
  it('finds rows by an indexed field, as the same array until one of them changes', async () => {
    const table = await openTasks()
    table.put({ id: 'a', list: 'x', done: false, rank: 1 })
    table.put({ id: 'b', list: 'y', done: false, rank: 1 })
    const inX = table.lookup('list', 'x')
    expect(inX.map(({ id }) => id)).toEqual(['a'])
    table.patch('b', { rank: 2 })
    expect(table.lookup('list', 'x')).toBe(inX)
    table.patch('b', { list: 'x' })
    expect(table.lookup('list', 'x').map(({ id }) => id)).toEqual(['a', 'b'])
    expect(table.lookup('list', 'y')).toEqual([])
    expect(() => table.lookup('rank', 1)).toThrow('no index on "rank"')
  })
})

it('an app\'s listener or filter that throws is reported, and stops nothing', async () => {
  const reported: unknown[] = []
  vi.stubGlobal('reportError', (error: Error) => reported.push(error.message))
  onTestFinished(() => void vi.unstubAllGlobals())
  const table = await openTasks()
  const seen: string[] = []
  table.subscribe(() => {
    throw new Error('of a listener')
  })
  table.list({ where: ({ id }) => {
    if (id === 'bad') throw new Error('of a filter')
    return true
  } })
  table.subscribe(() => seen.push('told'))
  expect(await table.put({ id: 'a', list: 'x', done: false, rank: 1 }).saved).toBe(true)
  expect(await table.put({ id: 'bad', list: 'x', done: false, rank: 1 }).saved).toBe(true)
  expect(await table.put({ id: 'b', list: 'x', done: false, rank: 1 }).saved).toBe(true)
  expect(reported).toEqual(['of a listener', 'of a filter', 'of a listener', 'of a listener'])
  expect(table.get('b')).toBeDefined()
  expect(seen).toHaveLength(3)
})
