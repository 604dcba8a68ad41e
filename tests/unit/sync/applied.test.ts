/**
 * What is told of applied ops. Seen red: told before the commit, a superseded op or a repeat told too, the push waiting
 * for the listener, an error of a listener left alone.
 */
import { consola } from 'consola'
import { expect, it, vi } from 'vitest'
import type { AppliedOps } from '../../../server/sync/applied.ts'
import { createSystemCaller, createUserCaller } from '../../../server/sync/caller.ts'
import { defineSyncedTable } from '../../../shared/synced-table.ts'
import { engineOf } from '../../helpers/engine.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import { deleteOf, messageOf, putOf, scope, workspaceId } from '../../helpers/sync.ts'

const ann = createUserCaller(workspaceId, 'ann')
const turn = () => new Promise(setImmediate)

it('tells the ops that won, once each, after the answer', async () => {
  const engine = engineOf(await openTestDatabase())
  const told: AppliedOps[] = []
  const stop = engine.onApplied(applied => told.push(applied))
  const ops = [putOf('a', { stamp: { clock: 5 } }), putOf('a', { stamp: { clock: 2 } }), deleteOf('b'), putOf('c', { tableName: 'secrets' })]
  await engine.push(ann, { scope, ops })
  expect(told, 'not before the answer').toEqual([])
  await turn()
  expect(told).toMatchObject([{ workspaceId, userId: 'ann', ops: [
    { tableName: 'messages', pk: 'a', operation: 'put', payload: messageOf('a'), stamp: ops[0]!.stamp, serverVersion: 1, wasExisting: false },
    { pk: 'b', operation: 'delete', payload: undefined, serverVersion: 3 },
  ] }])
  await engine.push(ann, { scope, ops })
  await engine.push(ann, { scope, ops: [putOf('a', { stamp: { clock: 1 } })] })
  await turn()
  expect(told).toHaveLength(1)
  const messages = defineSyncedTable<{ id: string }>('messages', { primaryKey: 'id' })
  await engine.rows.write(createSystemCaller(workspaceId), rows => rows.put(messages, messageOf('a')))
  await turn()
  expect(told[1]).toMatchObject({ userId: null, ops: [{ pk: 'a', wasExisting: true, stamp: { deviceId: 'server' } }] })
  stop()
  await engine.push(ann, { scope, ops: [putOf('d')] })
  await turn()
  expect(told).toHaveLength(2)
})

it('neither waits for a listener nor fails with one', async () => {
  const engine = engineOf(await openTestDatabase())
  const log = vi.fn()
  consola.mockTypes(() => log)
  const told: number[] = []
  engine.onApplied(() => new Promise(() => {}))
  engine.onApplied(() => {
    throw new Error('at once')
  })
  engine.onApplied(() => Promise.reject(new Error('later')))
  engine.onApplied(({ ops }) => told.push(ops.length))
  const { results } = await engine.push(ann, { scope, ops: [putOf('a')] })
  expect(results).toMatchObject([{ success: true }])
  await turn()
  await turn()
  expect(told).toEqual([1])
  expect(log).toHaveBeenCalledTimes(2)
  consola.restoreAll()
})
