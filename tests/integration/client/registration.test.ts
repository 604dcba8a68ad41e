/** One definition for both sides: what `defineSyncedTable` makes, the server registers, and both check the same. */
import { expect, it } from 'vitest'
import { z } from 'zod'
import { defineSyncedTable } from '../../../client/index.ts'
import { registerSyncedTable } from '../../../server/sync/tables.ts'
import { openLeading } from './devices.ts'
import { startServer } from './server.ts'

const schema = z.strictObject({ id: z.string(), text: z.string().max(5) })
const notes = defineSyncedTable('notes', { primaryKey: 'id', schema, version: 2, migrate: row => schema.parse(row) })
const unchecked = defineSyncedTable<{ id: string, text: string }>('notes', { primaryKey: 'id' })

it('is taken by the server as it is, with its schema and the mark of its version', async () => {
  registerSyncedTable(notes)
  expect(() => registerSyncedTable(notes)).toThrow('already a synced table')
  const server = await startServer()
  const store = await openLeading(server.transportOf(), { tables: [notes] })
  store.table(notes).put({ id: 'n1', text: 'short' })
  expect(() => store.table(notes).put({ id: 'n2', text: 'too long' })).toThrow('text: ')
  expect(await store.sync()).toMatchObject({ ok: true, pushed: 1, refused: 0 })

  const other = await openLeading(server.transportOf(), { tables: [unchecked] })
  other.table(unchecked).put({ id: 'n2', text: 'too long' })
  expect(await other.sync()).toMatchObject({ ok: true, pushed: 0, refused: 1 })
  expect(other.failures[0]).toMatchObject({ code: 'VALIDATION_ERROR', row: { text: 'too long' } })
})
