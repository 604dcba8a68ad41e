/** The clean-up of all workspaces, and what a host's job may ask of it. Seen red: a failing workspace stopped the others. */
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import { expect, it, vi } from 'vitest'
import { createSyncGatewayAdapter } from '../../../server/host/sync-adapter/adapter.ts'
import { createSystemCaller } from '../../../server/sync/caller.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import { deleteOf, emptyEvent, eventOf, pullAll, putOf, scope, startClock } from '../../helpers/sync.ts'
import { adapterOf, engineOf } from '../../helpers/engine.ts'

const hour = 3_600

async function fill(adapter: ReturnType<typeof createSyncGatewayAdapter>, workspaceId: string, rows = 2) {
  const ops = Array.from({ length: rows }, (_, index) => [putOf(`m${index}`), putOf(`m${index}`, { stamp: { clock: 2 } })]).flat()
  for (let from = 0; from < ops.length; from += 1000) {
    await adapter.push(eventOf('user-1', workspaceId), { scope: { workspaceId }, ops: ops.slice(from, from + 1000) })
  }
  await adapter.push(eventOf('user-1', workspaceId), { scope: { workspaceId }, ops: [deleteOf('gone')] })
}

it('cleans all workspaces, and one that fails is named and stops no other', async () => {
  const clock = startClock()
  const database = await openTestDatabase()
  const adapter = adapterOf(database)
  for (const id of ['a', 'b', 'c']) await fill(adapter, id)
  clock.advance(hour + 1)
  await database.write(tx => tx.run(sql`create trigger broken before delete on changes when old.log_id = (select id from logs where workspace_id = 'b') begin select raise(abort, 'broken'); end`))
  const result = await engineOf(database).cleanAllWorkspaces({ retentionSeconds: hour })
  expect(result).toMatchObject({ workspaces: 3, droppedChanges: 4, droppedTombstones: 2, unfinished: 0, failures: [{ workspaceId: 'b' }] })
  expect(adapter.getMaintenanceState()).toEqual({ enabled: true, state: 'failed', lastError: '1 of 3 workspaces were not cleaned up' })
  await database.write(tx => tx.run(sql`drop trigger broken`))
  expect(await engineOf(database).cleanAllWorkspaces({ retentionSeconds: hour })).toMatchObject({ droppedChanges: 2, droppedTombstones: 1, failures: [] })
  expect(adapter.getMaintenanceState()).toMatchObject({ state: 'idle', lastRun: '2026-01-01T01:00:01.000Z', backlog: 0 })
  await expect(engineOf(database).cleanAllWorkspaces({ retentionSeconds: 1 })).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
})

it('goes on in bounded runs where it stopped, and ends up where one run does', async () => {
  const clock = startClock()
  const database = await openTestDatabase()
  const adapter = adapterOf(database)
  await fill(adapter, 'workspace-1', 900)
  clock.advance(hour + 1)
  const runs = []
  do runs.push(await engineOf(database).gcTombstones(createSystemCaller('workspace-1'), { scope, retentionSeconds: hour }, { maxRows: 500 }))
  while (!runs.at(-1)!.done && runs.length < 20)
  expect(runs.map(run => run.cleanedVersion)).toEqual([500, 1000, 1500, 1801])
  expect(runs.map(run => run.droppedTombstones)).toEqual([0, 0, 0, 1])
  expect(runs.reduce((sum, run) => sum + run.droppedChanges, 0)).toBe(900)
  expect((await pullAll(adapter)).changes).toHaveLength(900)
})

it('lets other writes in between its chunks', async () => {
  const clock = startClock()
  const database = await openTestDatabase()
  const adapter = adapterOf(database)
  await fill(adapter, 'workspace-1', 500)
  for (let revision = 3; revision < 8; revision++) {
    await adapter.push(eventOf('user-1'), { scope, ops: Array.from({ length: 500 }, (_, index) => putOf(`m${index}`, { stamp: { clock: revision } })) })
  }
  clock.advance(hour + 1)
  let isOver = false
  let turns = 0
  const cleaning = adapter.gcChangeLog(emptyEvent, { scope, retentionSeconds: hour }).finally(() => isOver = true)
  const writes: number[] = []
  while (!isOver) {
    const { serverVersion } = await adapter.push(eventOf('user-1'), { scope, ops: [putOf(`n${turns}`)] })
    if (!isOver) writes.push(serverVersion)
    turns++
    await new Promise(resolve => setImmediate(resolve))
  }
  expect(await cleaning).toMatchObject({ droppedChanges: 3_000, done: true })
  expect(writes.length).toBeGreaterThanOrEqual(3)
})

it('keeps the state of a host\'s job without being waited for, and remembers it after a restart', async () => {
  startClock()
  const first = await openTestDatabase()
  const adapter = adapterOf(first)
  expect(adapter.getMaintenanceState()).toEqual({ enabled: true, state: 'idle' })
  await adapter.listWorkspaceIds()
  adapter.beginMaintenanceRun()
  expect(adapter.getMaintenanceState().state).toBe('running')
  adapter.completeMaintenanceRun({ lastRun: '2026-01-01T00:00:00.000Z' })
  await vi.waitFor(() => expect(adapter.getMaintenanceState()).toEqual({ enabled: true, state: 'idle', lastRun: '2026-01-01T00:00:00.000Z', backlog: 0 }))
  adapter.failMaintenanceRun('x'.repeat(1000))
  await vi.waitFor(() => expect(adapter.getMaintenanceState()).toMatchObject({ state: 'failed', lastError: 'x'.repeat(500) }))
  await sleep(20)
  await first.close()

  const second = await openTestDatabase({ path: first.path })
  const again = adapterOf(second)
  await again.listWorkspaceIds()
  await vi.waitFor(() => expect(again.getMaintenanceState()).toMatchObject({ state: 'failed', lastRun: '2026-01-01T00:00:00.000Z' }))
  again.beginMaintenanceRun()
  expect(again.getMaintenanceState()).toMatchObject({ state: 'running', lastRun: '2026-01-01T00:00:00.000Z' })
})

// Seen red: a run that begins before the database is open shows at once, and the last call counts.
it('shows each call of a host\'s job at once, also before the database is open', async () => {
  const database = await openTestDatabase()
  const engine = engineOf(database)
  let open: () => void = () => {}
  const opened = new Promise<void>(resolve => open = resolve)
  const adapter = createSyncGatewayAdapter(() => opened.then(() => engine))
  adapter.beginMaintenanceRun()
  expect(adapter.getMaintenanceState()).toEqual({ enabled: true, state: 'running' })
  adapter.completeMaintenanceRun({ lastRun: '2026-01-01T00:00:00.000Z' })
  expect(adapter.getMaintenanceState()).toEqual({ enabled: true, state: 'idle', lastRun: '2026-01-01T00:00:00.000Z' })
  adapter.beginMaintenanceRun()
  open()
  await adapter.listWorkspaceIds()
  expect(adapter.getMaintenanceState()).toMatchObject({ state: 'running', lastRun: '2026-01-01T00:00:00.000Z' })
  adapter.completeMaintenanceRun({ lastRun: '2026-01-02T00:00:00.000Z' })
  adapter.beginMaintenanceRun()
  await vi.waitFor(() => expect(adapter.getMaintenanceState()).toMatchObject({ backlog: 0, state: 'running' }))
  await vi.waitFor(async () => expect(await database.read.all(sql`select value ->> 'state' as state from layer_state where name = 'maintenance'`))
    .toEqual([{ state: 'idle' }]))
})

it('throws nothing at a host whose database is not there', async () => {
  const adapter = createSyncGatewayAdapter(() => Promise.reject(new Error('not open')))
  adapter.beginMaintenanceRun()
  adapter.completeMaintenanceRun({ lastRun: '' })
  adapter.failMaintenanceRun('x')
  expect(adapter.getMaintenanceState()).toEqual({ enabled: true, state: 'failed', lastRun: '', lastError: 'x' })
  await sleep(5)

  const database = await openTestDatabase()
  await database.close()
  await engineOf(database).maintenance.complete('2026-01-01T00:00:00.000Z')
  expect(engineOf(database).maintenance.read()).toMatchObject({ state: 'idle' })
})
