import { expect, it } from 'vitest'
import { mergeRendered, pickRows } from '../../../app/sync/rows.ts'

interface Row { id: string, rank: number }

const byRank = (a: Row, b: Row) => a.rank - b.rank
const rendered: Row[] = [{ id: 'a', rank: 1 }, { id: 'b', rank: 2 }]

it('picks the first rows in order', () => {
  expect(pickRows(rendered.toReversed(), { sort: byRank, limit: 1 })).toEqual([rendered[0]])
  expect(pickRows(rendered, { where: ({ rank }) => rank > 1 })).toEqual([rendered[1]])
})

// Seen red: a row that the store had beyond the limit was shown as it was rendered.
it('shows a rendered row only where the store knows nothing of it', () => {
  const store = new Map([['a', { id: 'a', rank: 9 }], ['c', { id: 'c', rank: 3 }]])
  const isKnown = ({ id }: Row) => store.has(id)
  const options = { sort: byRank, limit: 1 }
  expect(mergeRendered(rendered, pickRows([...store.values()], options), isKnown, options)).toEqual([rendered[1]])
  const all = { sort: byRank }
  expect(mergeRendered(rendered, pickRows([...store.values()], all), isKnown, all).map(({ id }) => id)).toEqual(['b', 'c', 'a'])
})
