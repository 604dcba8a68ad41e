import { expect, it } from 'vitest'
import { createSyncGatewayAdapter } from '../../../server/sync/gateway/adapter.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import { deleteOf, event, putOf, scope } from '../../helpers/sync.ts'

async function makeAdapter() {
  const database = await openTestDatabase()
  return createSyncGatewayAdapter(async () => database)
}

it('gives pushed ops contiguous versions and hands them out in order', async () => {
  const adapter = await makeAdapter()
  const ops = [putOf('a'), putOf('b'), putOf('c')]
  const pushed = await adapter.push(event, { scope, ops })
  expect(pushed.results.map(result => [result.success, result.serverVersion])).toEqual([[true, 1], [true, 2], [true, 3]])
  expect(pushed.serverVersion).toBe(3)

  const first = await adapter.pull(event, { scope, cursor: 0, limit: 2 })
  expect(first).toMatchObject({ nextCursor: 2, hasMore: true, requiresSnapshot: false, oldestRetainedVersion: 1 })
  const second = await adapter.pull(event, { scope, cursor: 2, limit: 2 })
  expect(second).toMatchObject({ nextCursor: 3, hasMore: false })
  expect([...first.changes, ...second.changes]).toEqual(ops.map(({ tableName, pk, operation, payload, stamp }, index) =>
    ({ serverVersion: index + 1, tableName, pk, op: operation, payload, stamp })))
})

it('answers a repeat with the first version, and a loser with the winner', async () => {
  const adapter = await makeAdapter()
  const first = putOf('a', { stamp: { clock: 2 } })
  await adapter.push(event, { scope, ops: [first] })
  const { results, serverVersion } = await adapter.push(event, { scope, ops: [first, putOf('a', { stamp: { clock: 1 } }), deleteOf('a', { stamp: { clock: 3 } })] })
  expect(serverVersion).toBe(3)
  expect(results[0]).toMatchObject({ success: true, serverVersion: 1, replayed: true, applied: true })
  expect(results[1]).toMatchObject({ success: true, serverVersion: 2, applied: false, payload: first.payload, winner: { kind: 'put', payload: first.payload } })
  expect(results[2]).toMatchObject({ success: true, serverVersion: 3, applied: true, wasExisting: true })
})

it('filters tables, pages a snapshot as of its first page, and follows a changed key back', async () => {
  const adapter = await makeAdapter()
  const kv = (name: string, value: number, clock: number) => putOf(`kv:${name}`, { tableName: 'kv', payload: { id: `kv:${name}`, name, value, created_at: 1, updated_at: 1, clock }, stamp: { clock } })
  await adapter.push(event, { scope, ops: [putOf('m1'), kv('a', 1, 1), putOf('m2'), kv('b', 1, 1)] })
  expect((await adapter.pull(event, { scope, cursor: 0, limit: 1, tables: ['kv'] }))).toMatchObject({ nextCursor: 2, hasMore: true })
  expect((await adapter.pull(event, { scope, cursor: 2, limit: 1, tables: ['kv'] }))).toMatchObject({ nextCursor: 4, hasMore: false })

  const first = await adapter.snapshot(event, { scope, pageSize: 1 })
  await adapter.push(event, { scope, ops: [kv('b', 2, 2), kv('b', 3, 3), putOf('m3')] })
  const rest = await adapter.snapshot(event, { scope, pageSize: 10, pageToken: first.nextPageToken! })
  expect([...first.items, ...rest.items].map(item => [item.pk, item.kind === 'row' && (item.payload as { value?: number }).value]))
    .toEqual([['kv:a', 1], ['kv:b', 1], ['m1', undefined], ['m2', undefined]])
  expect(rest).toMatchObject({ highWatermark: 4, nextPageToken: null })
})

it('cleans up what is superseded and keeps what a bootstrap needs', async () => {
  const adapter = await makeAdapter()
  await adapter.push(event, { scope, ops: [putOf('a'), putOf('a', { stamp: { clock: 2 } }), putOf('b'), deleteOf('b', { stamp: { clock: 2 } })] })
  expect(await adapter.gcChangeLog(event, { scope, retentionSeconds: 3600 })).toMatchObject({ droppedChanges: 0 })
})
