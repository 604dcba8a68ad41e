import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { H3Event } from 'h3'
import { expect, it, vi } from 'vitest'
import { workspaces } from '../../../server/database/schema/index.ts'
import { createSyncAdminAdapter } from '../../../server/host/admin/sync-status.ts'
import { layerMigrations, openTestDatabase } from '../../helpers/database.ts'
import { event, eventOf, putOf, scope } from '../../helpers/sync.ts'
import { adapterOf, engineOf } from '../../helpers/engine.ts'

const noEvent = {} as H3Event
const context = { enabled: true, provider: 'sqlite' }
const session = { authenticated: true, workspace: { id: scope.workspaceId, name: 'one' } }

it('tells how the database is, without its path, and warns of what deserves attention', async () => {
  const database = await openTestDatabase({ env: { OR3_SQLITE_PRAGMA_SYNCHRONOUS: 'OFF' } })
  await adapterOf(database).push(event, { scope, ops: [putOf('a'), putOf('b')] })
  const adapter = createSyncAdminAdapter(async () => engineOf(database))
  expect([adapter.id, adapter.kind]).toEqual(['sqlite', 'sync'])
  const status = await adapter.getStatus(noEvent, context)
  expect(status.details).toMatchObject({
    journalMode: 'wal', synchronous: 'OFF', inMemory: false, schemaRevision: layerMigrations.length, changes: 2,
  })
  expect(status.details).toMatchObject({ head: null, workspaces: 1 })
  expect((await adapter.getStatus(event, context)).details).toMatchObject({ head: 2 })
  expect((await adapter.getStatus(eventOf('user-1', 'empty'), context)).details).toMatchObject({ head: 0 })
  expect(status.details!['fileBytes']).toBeGreaterThanOrEqual(4096)
  expect(status.details!['walBytes']).toBeGreaterThan(0)
  expect(JSON.stringify(status)).not.toContain(database.path)
  expect(status.warnings).toEqual([{ level: 'warning', message: expect.stringContaining('SYNCHRONOUS') }])
  expect(status.actions.map(action => action.id)).toEqual(['sync.gc-change-log', 'sync.gc-tombstones', 'sync.checkpoint', 'sync.backup'])

  await engineOf(database).maintenance.fail('no room')
  expect((await adapter.getStatus(noEvent, context)).warnings).toContainEqual({ level: 'warning', message: 'The last clean-up failed: no room' })
})

it('says that it is down where the database cannot be opened', async () => {
  const adapter = createSyncAdminAdapter(() => Promise.reject(new Error('secret path')))
  expect((await adapter.getStatus(noEvent, context)).warnings).toEqual([{ level: 'error', message: 'The database could not be opened: see the server log.' }])
})

// Seen red: a payload of another workspace than the session's, no trace of a run, a refused run that is not `failed`.
it('cleans up in the session\'s workspace alone, and leaves a trace of how it ended', async () => {
  const database = await openTestDatabase()
  const { maintenance } = engineOf(database)
  await adapterOf(database).push(event, { scope, ops: [putOf('a'), putOf('a', { stamp: { clock: 2 } })] })
  await database.write(tx => tx.run('update changes set created_at = created_at - 7200'))
  const adapter = createSyncAdminAdapter(async () => engineOf(database))
  const run = (actionId: string, payload?: Record<string, unknown>, of: object = session) =>
    adapter.runAction!(noEvent, actionId, payload, { ...context, session: of as typeof session })
  expect(await run('sync.gc-change-log')).toMatchObject({ droppedChanges: 0 })
  expect(maintenance.read()).toEqual({ enabled: true, state: 'idle', lastRun: expect.any(String), backlog: 2 })
  const { workspaceId } = scope
  const cleaning = run('sync.gc-tombstones', { workspaceId, retentionSeconds: 3600 })
  await vi.waitFor(() => expect(maintenance.read().state).toBe('running'), { interval: 1 })
  expect(await cleaning).toMatchObject({ droppedChanges: 1, done: true })
  expect(maintenance.read()).toMatchObject({ state: 'idle', backlog: 0 })

  for (const [payload, of, code] of [
    [{ workspaceId: 'other', retentionSeconds: 3600 }, session, 'FORBIDDEN'],
    [{ retentionSeconds: 1 }, session, 'INVALID_REQUEST'],
    [{ workspaceId }, { authenticated: true }, 'INVALID_REQUEST'],
  ] as const) {
    maintenance.begin()
    await expect(run('sync.gc-change-log', payload, of)).rejects.toMatchObject({ code })
    expect(maintenance.read()).toMatchObject({ state: 'failed', lastError: expect.stringMatching(/\w{5}/) })
    await maintenance.complete('2026-01-01T00:00:00.000Z')
  }
  await expect(run('sync.nothing')).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
  expect(maintenance.read()).toMatchObject({ state: 'idle' })
})

// Seen red: the card counted living workspaces, the backup those with a log.
it('counts workspaces as a backup does', async () => {
  const database = await openTestDatabase()
  await database.write(tx => tx.insert(workspaces).values([
    { id: 'quiet', name: 'W', createdAt: 1 }, { id: 'gone', name: 'W', createdAt: 1, deletedAt: 2 },
  ]))
  await adapterOf(database).push(event, { scope, ops: [putOf('a')] })
  await adapterOf(database).push(eventOf('user-1', 'gone'), { scope: { workspaceId: 'gone' }, ops: [putOf('a')] })
  const adapter = createSyncAdminAdapter(async () => engineOf(database))
  expect((await adapter.getStatus(noEvent, context)).details).toMatchObject({ workspaces: 2, changes: 2 })
  expect(await adapter.runAction!(noEvent, 'sync.backup', undefined, { ...context, session })).toMatchObject({ workspaces: 2, changes: 2 })
  expect(await adapterOf(database).listWorkspaceIds()).toEqual(['quiet', scope.workspaceId])
})

it('empties the write-ahead log and makes a backup, and says when the last one was', async () => {
  const database = await openTestDatabase()
  await adapterOf(database).push(event, { scope, ops: [putOf('a')] })
  const adapter = createSyncAdminAdapter(async () => engineOf(database))
  const run = (actionId: string) => adapter.runAction!(noEvent, actionId, undefined, { ...context, session })
  expect(await run('sync.checkpoint')).toEqual({ emptied: true, walBytes: 0 })
  const { name, createdAt } = await run('sync.backup') as { name: string, createdAt: string }
  expect(await readdir(join(dirname(database.path), 'backups'))).toEqual([name])
  expect((await adapter.getStatus(noEvent, context)).details).toMatchObject({ lastBackupAt: createdAt })
})

it('offers no backup of a database in memory, and shows no path of one that fails', async () => {
  const memory = await openTestDatabase({ path: ':memory:', env: { OR3_SQLITE_ALLOW_IN_MEMORY: 'true' } })
  const adapter = createSyncAdminAdapter(async () => engineOf(memory))
  const status = await adapter.getStatus(noEvent, context)
  expect(status.actions.map(action => action.id)).toEqual(['sync.gc-change-log', 'sync.gc-tombstones'])
  expect(status.warnings).toEqual([{ level: 'warning', message: expect.stringContaining('in memory') }])
  await expect(adapter.runAction!(noEvent, 'sync.backup', undefined, { ...context, session })).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
})
