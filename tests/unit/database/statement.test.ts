/** Statements that are compiled once, over values and over rows, on a real file. Seen red: the filling rows not left out. */
import { sql } from 'drizzle-orm'
import { expect, it, onTestFinished } from 'vitest'
import { configureSync } from '../../../server/config/sync.ts'
import { compileRowsSql, compileSql, maxRowsPerStatement, readRows } from '../../../server/database/statement.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import { event, putOf, scope } from '../../helpers/sync.ts'
import { adapterOf } from '../../helpers/engine.ts'

interface Ends { first: number, factor: number, last: string }

const sumRows = compileRowsSql<[number, number], Ends, { count: number, sum: number, ends: string }>(['factor'], 2, (args, pair) => args.push(...pair), (rows, value) => sql`
  with given (a, b, factor) as (${rows})
  select count(*) as count, sum(factor * a * b) + ${value('first')} as sum, ${value('last')} as ends from given limit 1`)

it.each([0, 1, 2, 3, 5, 9, 64, 65, 100, 1_000, maxRowsPerStatement])('gives a statement %i rows and no more', async (count) => {
  const { read } = await openTestDatabase()
  const rows = Array.from({ length: count }, (_, index): [number, number] => [index, 2])
  const expected = { count, sum: count === 0 ? null : 3 * count * (count - 1) + 7, ends: 'end' }
  for (let turn = 0; turn < 2; turn++) {
    const [found] = await readRows(read.$client, sumRows(rows, { first: 7, factor: 3, last: 'end' }))
    expect({ ...found }).toEqual(expected)
  }
})

it('refuses more rows than a statement takes', () => {
  expect(() => sumRows(Array.from({ length: maxRowsPerStatement + 1 }, (): [number, number] => [1, 1]), { first: 0, factor: 0, last: '' })).toThrow(RangeError)
})

it('fills in values by name, as often as one is used', async () => {
  const { read } = await openTestDatabase()
  const twice = compileSql<{ a: number, b: string }, { a: number, b: string, again: number }>(value =>
    sql`select ${value('a')} as a, ${value('b')} as b, ${value('a')} as again limit 1`)
  expect((await readRows(read.$client, twice({ a: 1, b: 'x' }))).map(row => ({ ...row }))).toEqual([{ a: 1, b: 'x', again: 1 }])
})

it('pushes more ops than one statement takes, where an operator allows it', async () => {
  configureSync({ maxOpsPerPush: 5_000 })
  onTestFinished(() => configureSync())
  const database = await openTestDatabase()
  const adapter = adapterOf(database)
  const ops = Array.from({ length: 2_500 }, (_, index) => putOf(`row-${index}`))
  const { results, serverVersion } = await adapter.push(event, { scope, ops })
  expect(serverVersion).toBe(2_500)
  expect(results.map(result => result.serverVersion)).toEqual(ops.map((_, index) => index + 1))
  const again = await adapter.push(event, { scope, ops })
  expect(again.results.every(result => result.replayed && result.applied)).toBe(true)
  expect(again.results.map(result => result.serverVersion)).toEqual(ops.map((_, index) => index + 1))
})
