/**
 * A push of new rows does not ask where the log ends but guesses; where the guess is wrong nothing of it is left.
 * Seen red with the head, the horizon or the workspace left out of what confirms a guess.
 */
import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { openTestDatabase } from '../../helpers/database.ts'
import { event, eventOf, pullAll, putOf, scope } from '../../helpers/sync.ts'
import { adapterOf } from '../../helpers/engine.ts'

async function openWithOne() {
  const database = await openTestDatabase()
  const adapter = adapterOf(database)
  const push = async (...pks: string[]) => (await adapter.push(event, { scope, ops: pks.map(pk => putOf(pk)) })).results.map(result => result.serverVersion)
  const pulled = async () => (await pullAll(adapter)).changes.map(({ pk, serverVersion }) => [pk, serverVersion])
  expect(await push('first')).toEqual([1])
  return { database, adapter, push, pulled }
}

it('guesses wrong after a transaction that was undone, and leaves no hole', async () => {
  const { database, push, pulled } = await openWithOne()
  const [a, , b] = await Promise.allSettled([
    push('a', 'a-2'),
    database.write(async () => {
      throw new Error('refused')
    }),
    push('b'),
  ])
  // Which of the two comes first is not promised.
  const [[a1, a2], [b1]] = [a, b].map(one => one.status === 'fulfilled' ? one.value as number[] : []) as [number[], number[]]
  const given = [['a', a1!], ['a-2', a2!], ['b', b1!]].sort(([, one], [, other]) => Number(one) - Number(other))
  expect(given.map(([, version]) => version)).toEqual([2, 3, 4])
  await expect(database.write(async (tx) => {
    await tx.run(sql`update logs set head = 3`)
    await tx.run(sql`delete from changes where server_version = 4`)
    await tx.run(sql`delete from records where server_version = 4`)
  })).resolves.toBeUndefined()
  expect(await push('c', 'd')).toEqual([4, 5])
  expect(await pulled()).toEqual([['first', 1], ...given.slice(0, 2), ['c', 4], ['d', 5]])
})

it('guesses wrong where the log has gone on without it', async () => {
  const { database, push, pulled } = await openWithOne()
  await database.write(tx => tx.run(sql`update logs set head = head + 5`))
  expect(await push('a')).toEqual([7])
  expect(await push('b')).toEqual([8])
  expect(await pulled()).toEqual([['first', 1], ['a', 7], ['b', 8]])
})

it('guesses wrong where the log is gone and its number is another workspace\'s', async () => {
  const { database, adapter, push, pulled } = await openWithOne()
  await database.write(async (tx) => {
    for (const table of ['changes', 'records']) await tx.run(sql`delete from ${sql.identifier(table)}`)
    await tx.run(sql`update logs set workspace_id = 'workspace-2', head = 1`)
  })
  expect(await push('a')).toEqual([1])
  expect(await pulled()).toEqual([['a', 1]])
  const other = eventOf('user-1', 'workspace-2')
  expect(await adapter.push(other, { scope: { workspaceId: 'workspace-2' }, ops: [putOf('b')] })).toMatchObject({ results: [{ serverVersion: 2 }] })
  expect((await pullAll(adapter, { as: other, workspace: 'workspace-2' })).changes.map(change => change.pk)).toEqual(['b'])
})

it('guesses wrong where a clean-up has moved the horizon, and holds what has to wait', async () => {
  const { database, adapter, push } = await openWithOne()
  await adapter.updateCursor(event, { scope, deviceId: 'device-1', version: 0 })
  await database.write(tx => tx.run(sql`update logs set horizon = 1`))
  expect(await adapter.push(event, { scope, ops: [putOf('late')] })).toMatchObject({ results: [{ success: false, errorCode: 'RATE_LIMITED', retryable: true }], serverVersion: 1 })
  await adapter.pull(event, { scope, cursor: 1 })
  await adapter.updateCursor(event, { scope, deviceId: 'device-1', version: 1 })
  expect(await push('late')).toEqual([2])
})

// Seen red where the cursor's name alone was trimmed: the row came back in silence.
it('holds a device whose id has white space around it', async () => {
  const { database, adapter } = await openWithOne()
  const deviceId = ' device-1\t'
  await adapter.updateCursor(event, { scope, deviceId, version: 0 })
  await database.write(tx => tx.run(sql`update logs set horizon = 1`))
  const put = putOf('late', { stamp: { deviceId } })
  expect(await adapter.push(event, { scope, ops: [put] })).toMatchObject({ results: [{ success: false, errorCode: 'RATE_LIMITED' }] })
  await adapter.pull(event, { scope, cursor: 1 })
  await adapter.updateCursor(event, { scope, deviceId, version: 1 })
  expect(await adapter.push(event, { scope, ops: [put] })).toMatchObject({ results: [{ success: true, serverVersion: 2 }] })
})
