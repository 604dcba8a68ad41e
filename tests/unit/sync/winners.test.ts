/** What the receipts of losers tell of their winners: bounded in all, and read when nobody waits for the writer any more. */
import { type InStatement, LibsqlError } from '@libsql/core/api'
import { expect, it } from 'vitest'
import type { PendingOp, PushResult } from '../../../shared/protocol.ts'
import { maxPayloadBytes, maxWinnerBytes } from '../../../shared/limits.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import { deleteOf, event, messageOf, putOf, scope } from '../../helpers/sync.ts'
import { adapterOf } from '../../helpers/engine.ts'

const large = (pk: string) => putOf(pk, { payload: messageOf(pk, { data: 'x'.repeat(maxPayloadBytes - 1_000) }), stamp: { clock: 2 } })
const losers = (pks: string[]) => pks.map(pk => deleteOf(pk, { stamp: { clock: 1 } }))
const names = (count: number) => Array.from({ length: count }, (_, index) => `m${index}`)

async function openWith(winners: PendingOp[]) {
  const database = await openTestDatabase()
  const adapter = adapterOf(database)
  for (let from = 0; from < winners.length; from += 32) await adapter.push(event, { scope, ops: winners.slice(from, from + 32) })
  return { database, adapter }
}

function expectBounded({ results }: PushResult, count: number) {
  expect(results.map(result => [result.success, result.applied])).toEqual(Array.from({ length: count }, () => [true, false]))
  const told = results.filter(result => result.winner !== undefined)
  expect(told.length).toBe(Math.floor(maxWinnerBytes / (2 * (maxPayloadBytes - 1_000 + 200))))
  expect(told).toEqual(results.slice(0, told.length))
  expect(told.every(({ winner, payload }) => winner?.kind === 'put' && winner.payload === payload)).toBe(true)
  expect(results.slice(told.length).every(result => !('payload' in result))).toBe(true)
  expect(JSON.stringify(results).length).toBeLessThan(maxWinnerBytes + count * 500)
}

// Seen red with each winner counted once, however often it is sent: 42 MB, and 520 MB of one row.
it.each([
  ['many rows', names(80), names(80)],
  ['one row', ['m0'], Array.from({ length: 1_000 }, () => 'm0')],
])('are told until they grow too long, of %s', async (_, rows, lost) => {
  const { adapter } = await openWith(rows.map(large))
  const ops = losers(lost)
  expectBounded(await adapter.push(event, { scope, ops }), ops.length)
  expectBounded(await adapter.push(event, { scope, ops }), ops.length)
})

it('cost nothing where they are deletes, whatever those carried', async () => {
  const pks = names(40)
  const { adapter } = await openWith(pks.map(pk => deleteOf(pk, { payload: large(pk).payload, stamp: { clock: 2 } })))
  const { results } = await adapter.push(event, { scope, ops: losers(pks) })
  expect(results.map(result => [result.winner?.kind, 'payload' in result])).toEqual(pks.map(() => ['delete', false]))
})

// Seen red with the winners read in the writer's transaction.
it('are read after the commit, and what is gone by then is not told', async () => {
  const { database } = await openWith(['a', 'b'].map(pk => putOf(pk, { stamp: { clock: 2 } })))
  const adapter = adapterOf({
    ...database,
    async write(job) {
      const written = await database.write(job)
      await database.write(tx => tx.run('delete from changes where pk = \'a\''))
      return written
    },
  })
  const { results } = await adapter.push(event, { scope, ops: losers(['a', 'b']) })
  expect(results.map(result => [result.success, result.applied, result.winner?.kind])).toEqual([[true, false, undefined], [true, false, 'put']])
})

// Seen red with the error of the read as the answer: it said that nothing was written.
it('are asked for again where they cannot be read', async () => {
  const { database } = await openWith([putOf('a', { stamp: { clock: 2 } })])
  const ops = losers(['a'])
  const $client = {
    // What the quota has left can still be read: it is asked for before the push.
    execute: (statement: InStatement) => JSON.stringify(statement).includes('used_bytes')
      ? database.read.$client.execute(statement)
      : Promise.reject(new LibsqlError('disk I/O error', 'SQLITE_IOERR')),
  }
  const broken = adapterOf({ ...database, read: Object.assign(Object.create(database.read), { $client }) })
  await expect(broken.push(event, { scope, ops })).rejects.toMatchObject({ statusCode: 503, data: { retryable: true }, message: expect.stringContaining('push was written') })
  const { results } = await adapterOf(database).push(event, { scope, ops })
  expect(results).toMatchObject([{ success: true, serverVersion: 2, replayed: true, applied: false, winner: { kind: 'put' } }])
})
