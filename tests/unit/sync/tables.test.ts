/** An app's own synced table. Seen red: the second registration accepted, the seal left out. */
import { expect, it, vi } from 'vitest'
import { z } from 'zod'
import { openTestDatabase } from '../../helpers/database.ts'
import { deleteOf, event, eventOf, pullAll, putOf, scope, snapshotAll } from '../../helpers/sync.ts'

/** The registry is one for a process: each test has it anew. */
async function load() {
  vi.resetModules()
  const { registerSyncedTable } = await import('../../../server/sync/tables.ts')
  const { adapterOf } = await import('../../helpers/engine.ts')
  const database = await openTestDatabase()
  return { registerSyncedTable, adapter: adapterOf(database) }
}

it('syncs a registered table without a migration, with its key, its check and its owner', async () => {
  const { registerSyncedTable, adapter } = await load()
  registerSyncedTable('notes', { primaryKey: 'slug', schema: z.object({ slug: z.string(), text: z.string().min(1) }), ownerKey: 'author', derivedKeys: ['words'] })
  const noteOf = (slug: string, more: object = {}) => putOf(slug, { tableName: 'notes', payload: { slug, text: 'Hello', author: 'user-1', ...more } })
  const ops = [noteOf('a', { words: 1, extra: [1] }), noteOf('b', { text: '' }), noteOf('c', { slug: 'd' }), noteOf('e', { author: 'user-2' }), deleteOf('f', { tableName: 'notes' })]
  const { results } = await adapter.push(event, { scope, ops })
  expect(results.map(result => result.error ?? result.serverVersion)).toEqual([
    1, expect.stringMatching(/^Invalid payload for notes: text/), expect.stringMatching(/slug must equal pk/), expect.stringMatching(/author/), 2,
  ])
  expect((await pullAll(adapter, { tables: ['notes'] })).changes[0]!.payload).toEqual({ slug: 'a', text: 'Hello', author: 'user-1', extra: [1] })
  expect((await snapshotAll(adapter, { tables: ['notes'] })).items.map(item => item.kind)).toEqual(['row', 'tombstone'])
  expect((await pullAll(adapter, { as: eventOf('user-2') })).changes).toEqual([])
})

it('does not give a table that is no longer registered to who asks for the others', async () => {
  const { registerSyncedTable, adapter } = await load()
  registerSyncedTable('notes', { primaryKey: 'id' })
  await adapter.push(event, { scope, ops: [putOf('n', { tableName: 'notes', payload: { id: 'n' } }), putOf('m')] })
  const seven = ['threads', 'messages', 'projects', 'posts', 'kv', 'file_meta', 'notifications']
  expect((await pullAll(adapter, { tables: seven })).changes.map(change => change.pk)).toEqual(['m'])
  expect((await pullAll(adapter, { tables: [...seven, 'notes'] })).changes.map(change => change.pk)).toEqual(['n', 'm'])
})

it('refuses a name that is taken or cannot be stored, a table without a key, and one that comes too late', async () => {
  const { registerSyncedTable, adapter } = await load()
  expect(() => registerSyncedTable('messages', { primaryKey: 'id' })).toThrow(/already a synced table "messages"/)
  registerSyncedTable('notes', { primaryKey: 'id' })
  expect(() => registerSyncedTable('notes', { primaryKey: 'id' })).toThrow(/already a synced table "notes"/)
  for (const name of ['', 'x'.repeat(129), 'a\0', '\uD800']) expect(() => registerSyncedTable(name, { primaryKey: 'id' })).toThrow(/name has 1 to 128/)
  expect(() => registerSyncedTable('keyless', { primaryKey: '' })).toThrow(/primaryKey/)
  await adapter.push(event, { scope, ops: [putOf('a')] })
  expect(() => registerSyncedTable('late', { primaryKey: 'id' })).toThrow(/too late/)
})
