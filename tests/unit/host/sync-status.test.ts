import { writeFile } from 'node:fs/promises'
import type { H3Event } from 'h3'
import { expect, it } from 'vitest'
import { createSyncAdminAdapter } from '../../../server/admin/sync-status.ts'
import { push } from '../../../server/sync/push/push.ts'
import { maintenanceOf } from '../../../server/sync/maintenance.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import { event, putOf, scope } from '../../helpers/sync.ts'

const noEvent = {} as H3Event
const context = { enabled: true, provider: 'sqlite' }
const session = { authenticated: true, workspace: { id: scope.workspaceId, name: 'one' } }

it('tells how the database is, without its path, and warns of what deserves attention', async () => {
  const database = await openTestDatabase({ env: { OR3_SQLITE_PRAGMA_SYNCHRONOUS: 'OFF' } })
  await push(database, event, { scope, ops: [putOf('a'), putOf('b')] })
  const adapter = createSyncAdminAdapter(async () => database)
  expect([adapter.id, adapter.kind]).toEqual(['sqlite', 'sync'])
  const status = await adapter.getStatus(noEvent, context)
  expect(status.details).toMatchObject({ journalMode: 'wal', synchronous: 'OFF', inMemory: false, schemaRevision: 1, changes: 2 })
  expect(status.details!.fileBytes).toBeGreaterThanOrEqual(4096)
  expect(status.details!.walBytes).toBeGreaterThan(0)
  expect(JSON.stringify(status)).not.toContain(database.path)
  expect(status.warnings).toEqual([{ level: 'warning', message: expect.stringContaining('SYNCHRONOUS') }])
  expect(status.actions.map(action => action.id)).toEqual(['sync.gc-change-log', 'sync.gc-tombstones', 'sync.checkpoint'])

  await maintenanceOf(database).fail('no room')
  expect((await adapter.getStatus(noEvent, context)).warnings).toContainEqual({ level: 'warning', message: 'The last clean-up failed: no room' })
})

it('says that it is down where the database cannot be opened', async () => {
  const adapter = createSyncAdminAdapter(() => Promise.reject(new Error('secret path')))
  expect((await adapter.getStatus(noEvent, context)).warnings).toEqual([{ level: 'error', message: 'The database could not be opened: see the server log.' }])
})

it('cleans up in the session\'s workspace or the one it is given, with the retention it is given', async () => {
  const database = await openTestDatabase()
  await push(database, event, { scope, ops: [putOf('a'), putOf('a', { stamp: { clock: 2 } })] })
  await database.write(tx => tx.run('update changes set created_at = created_at - 7200'))
  const adapter = createSyncAdminAdapter(async () => database)
  const run = (actionId: string, payload?: Record<string, unknown>, of: object = session) =>
    adapter.runAction!(noEvent, actionId, payload, { ...context, session: of as typeof session })
  expect(await run('sync.gc-change-log')).toMatchObject({ droppedChanges: 0 })
  expect(await run('sync.gc-change-log', { workspaceId: 'other', retentionSeconds: 3600 })).toMatchObject({ droppedChanges: 0 })
  expect(await run('sync.gc-tombstones', { retentionSeconds: 3600 })).toMatchObject({ droppedChanges: 1, done: true })
  await expect(run('sync.gc-change-log', { retentionSeconds: 1 })).rejects.toMatchObject({ statusCode: 400 })
  await expect(run('sync.gc-change-log', {}, { authenticated: true })).rejects.toMatchObject({ statusCode: 400 })
  await expect(run('sync.backup')).rejects.toMatchObject({ statusCode: 400 })
})

it('empties the write-ahead log and backs up where a backup room is given', async () => {
  const database = await openTestDatabase()
  await push(database, event, { scope, ops: [putOf('a')] })
  const backups: string[] = []
  const adapter = createSyncAdminAdapter(async () => database, {
    backUp: async () => {
      const target = `${database.path}.copy`
      await writeFile(target, '')
      backups.push(target)
      return { file: 'copy' }
    },
  })
  const run = (actionId: string) => adapter.runAction!(noEvent, actionId, undefined, { ...context, session })
  expect(await run('sync.checkpoint')).toEqual({ emptied: true, walBytes: 0 })
  expect((await adapter.getStatus(noEvent, context)).actions.map(action => action.id)).toContain('sync.backup')
  expect(await run('sync.backup')).toEqual({ file: 'copy' })
  expect(backups).toHaveLength(1)
})
