/**
 * What a push tells a host's webhooks. Seen red: emitted before the push, for losers, for replays, for refused ops, in
 * another order, `create` for a deleted row that comes back, without a bound.
 */
import { expect, it, vi } from 'vitest'
import { createSystemHooks, type EmitSystemHook } from '../../../server/host/webhooks/system-hooks.ts'
import { createSyncGatewayAdapter } from '../../../server/host/sync-adapter/adapter.ts'
import type { JsonObject } from '../../../shared/protocol.ts'
import { createUserCaller } from '../../../server/sync/caller.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import { engineOf } from '../../helpers/engine.ts'
import { deleteOf, event, payloads, putOf, scope, startClock } from '../../helpers/sync.ts'

await vi.hoisted(async () => {
  const { consola } = await import('consola')
  consola.mockTypes(() => () => {})
})

const caller = createUserCaller(scope.workspaceId, 'user-1')

async function setUp(listen?: (hookName: string, payload: JsonObject) => unknown) {
  const database = await openTestDatabase()
  const emitted: [string, JsonObject][] = []
  const emitSystemHook: EmitSystemHook = async (hookName, payload) => {
    emitted.push([hookName, payload])
    await listen?.(hookName, payload)
  }
  const adapter = createSyncGatewayAdapter(async () => engineOf(database), { emitSystemHook })
  const take = () => emitted.splice(0)
  return { database, adapter, take, takeNames: () => take().map(([name, { id }]) => `${name} ${String(id)}`) }
}

it('names each applied op by its table and by what the key had before, in the order of the ops', async () => {
  const { adapter, takeNames } = await setUp()
  const put = (tableName: string, pk = tableName, clock = 1) => putOf(pk, {
    tableName, payload: payloads[tableName as keyof typeof payloads](pk), stamp: { clock },
  })
  await adapter.push(event, {
    scope, ops: ['threads', 'messages', 'posts', 'notifications', 'projects', 'kv', 'file_meta'].map(name => put(name)),
  })
  expect(takeNames()).toEqual([
    'db.threads.create:action:after threads', 'db.messages.create:action:after messages',
    'db.documents.create:action:after posts',
    'notify:action:push notifications',
  ])
  await adapter.push(event, {
    scope,
    ops: [
      put('posts', 'posts', 2), put('threads', 'new'), put('threads', 'threads', 2),
      put('notifications', 'notifications', 2),
    ],
  })
  expect(takeNames()).toEqual([
    'db.documents.update:action:after posts', 'db.threads.create:action:after new',
    'db.threads.update:action:after threads', 'notify:action:push notifications',
  ])
  const deletes = [
    'threads', 'messages', 'posts', 'notifications', 'kv',
  ].map(tableName => deleteOf(tableName, { tableName, stamp: { clock: 3 } }))
  await adapter.push(event, { scope, ops: deletes })
  const rows = { threads: 'threads', messages: 'messages', documents: 'posts' }
  expect(takeNames()).toEqual(Object.entries(rows).map(([name, pk]) => `db.${name}.delete:action:soft:after ${pk}`))
  await adapter.push(event, { scope, ops: [put('threads', 'threads', 4), deleteOf('never', { tableName: 'threads' })] })
  expect(takeNames(), 'a deleted row had a row').toEqual([
    'db.threads.update:action:after threads', 'db.threads.delete:action:soft:after never',
  ])
  await adapter.push(event, { scope, ops: [put('messages', 'm', 1), put('messages', 'm', 2)] })
  expect(takeNames()).toEqual(['db.messages.create:action:after m', 'db.messages.update:action:after m'])
})

it('says nothing of losers, repeats and refused ops', async () => {
  const { adapter, takeNames } = await setUp()
  const ops = Array.from({ length: 6 }, (_, index) => putOf(`m${index}`, { stamp: { clock: 2 } }))
  await adapter.push(event, { scope, ops })
  expect(takeNames()).toHaveLength(6)
  await adapter.push(event, { scope, ops })
  await adapter.push(event, { scope, ops: ops.slice(0, 1) })
  await adapter.push(event, {
    scope, ops: [putOf('m0', { stamp: { clock: 1 } }), deleteOf('m1', { stamp: { clock: 1 } })],
  })
  await adapter.push(event, {
    scope, ops: [putOf('bad', { payload: { id: 'other' } }), { ...putOf('m9'), tableName: 'unknown' }],
  })
  expect(takeNames()).toEqual([])
  const twice = putOf('m7')
  await adapter.push(event, { scope, ops: [twice, putOf('bad', { payload: {} }), twice, putOf('m8')] })
  expect(takeNames()).toEqual(['db.messages.create:action:after m7', 'db.messages.create:action:after m8'])
  await expect(adapter.push(event, { scope, ops: [{ ...putOf('x'), operation: 'patch' as 'put' }] })).rejects.toThrow()
  expect(takeNames()).toEqual([])
})

it('gives the payload as it came, with what an event needs where it is missing', async () => {
  startClock(new Date(1_770_000_000_999))
  const { adapter, take } = await setUp()
  const thread = payloads.threads('t', { more: [1], workspace_id: null })
  await adapter.push(event, {
    scope, ops: [putOf('t', { tableName: 'threads', payload: thread }), deleteOf('gone', { tableName: 'threads' })],
  })
  const [[, created], [, deleted]] = take() as [[string, JsonObject], [string, JsonObject]]
  expect(created).toEqual({ ...thread, workspace_id: scope.workspaceId, user_id: 'user-1' })
  expect(created).not.toBe(thread)
  expect(deleted).toEqual({
    id: 'gone', workspace_id: scope.workspaceId, user_id: 'user-1', updated_at: 1_770_000_000, deleted: true,
  })
  await adapter.push(event, {
    scope,
    ops: [deleteOf('t', {
      tableName: 'threads', stamp: { clock: 9 }, payload: { id: '', deleted: false, updated_at: '5', user_id: 7 },
    })],
  })
  expect(take()[0]![1]).toEqual({
    id: 't', deleted: true, updated_at: 1_770_000_000, user_id: 'user-1', workspace_id: scope.workspaceId,
  })
})

it('tells after the commit, before the answer', async () => {
  const seen: unknown[] = []
  const { database, adapter } = await setUp(async (_, { id }) => {
    seen.push(id, (await adapter.pull(event, { scope, cursor: 0 })).changes.length)
  })
  await adapter.push(event, {
    scope, ops: [putOf('a', { tableName: 'threads' }), putOf('b', { tableName: 'threads' })],
  })
  expect(seen).toEqual(['a', 2, 'b', 2])
  expect(database.activity.jobs).toBe(1)
})

it('answers the push where a hook fails, and goes on with the next', async () => {
  const { adapter, takeNames } = await setUp((_, { id }) => {
    if (id === 'a') throw new Error('the host')
    return id === 'b' ? Promise.reject(new Error('the host')) : undefined
  })
  const { results } = await adapter.push(event, { scope, ops: ['a', 'b', 'c'].map(pk => putOf(pk)) })
  expect(results.every(({ success }) => success)).toBe(true)
  expect(takeNames()).toHaveLength(3)
})

it('waits only so long for a hook that hangs, and delays no other push', async () => {
  const database = await openTestDatabase()
  const calls: unknown[] = []
  const emit = createSystemHooks((_, { id }) => {
    calls.push(id)
    return id === 'hangs' ? new Promise(() => {}) : undefined
  }, { hookMs: 150 })
  const pushAndTell = async (...pks: string[]) => {
    const batch = { scope, ops: pks.map(pk => putOf(pk)) }
    await emit(database, caller, batch, await engineOf(database).push(caller, batch))
    return performance.now()
  }
  const start = performance.now()
  const hanging = pushAndTell('hangs', 'after')
  await vi.waitFor(() => expect(calls).toContain('hangs'))
  expect(await pushAndTell('other') - start, 'another push').toBeLessThan(150)
  const waited = await hanging - start
  expect(waited).toBeGreaterThanOrEqual(140)
  expect(waited).toBeLessThan(1_000)
  await vi.waitFor(() => expect(calls).toEqual(['hangs', 'other', 'after']))
})

// Seen red where the answer waited for each hook in turn.
it('answers a push whose hooks all hang after one wait, and goes on behind it', async () => {
  const database = await openTestDatabase()
  let calls = 0
  const emit = createSystemHooks(() => new Promise(() => calls++), { hookMs: 100 })
  const batch = { scope, ops: Array.from({ length: 6 }, (_, index) => putOf(String(index))) }
  await emit(database, caller, batch, await engineOf(database).push(caller, batch))
  expect(calls).toBeLessThan(4)
  await vi.waitFor(() => expect(calls).toBe(6), 5_000)
})

it('gives up on a push of which every hook hangs', async () => {
  const database = await openTestDatabase()
  const calls: unknown[] = []
  const emit = createSystemHooks((_, { id }) => new Promise(() => calls.push(id)), { hookMs: 20, totalMs: 50 })
  const batch = { scope, ops: Array.from({ length: 50 }, (_, index) => putOf(String(index))) }
  await emit(database, caller, batch, await engineOf(database).push(caller, batch))
  await new Promise(resolve => setTimeout(resolve, 300))
  expect(calls.length).toBeGreaterThan(1)
  expect(calls.length).toBeLessThan(6)
})
