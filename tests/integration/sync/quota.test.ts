/** What a workspace, its owner and the disk may keep, and that there is always a way to make room. */
import { sql } from 'drizzle-orm'
import { expect, it, onTestFinished, vi } from 'vitest'
import { configureSync } from '../../../server/config/sync.ts'
import { useSyncEngine } from '../../../server/layer.ts'
import { readHealth } from '../../../server/operations/health.ts'
import { changeBytes } from '../../../server/sync/quota.ts'
import { createSystemCaller } from '../../../server/sync/caller.ts'
import { adapterOf, engineOf } from '../../helpers/engine.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import { serveRoutes } from '../../helpers/http-server.ts'
import { deleteOf, event, putOf, scope, startClock } from '../../helpers/sync.ts'

const lines = await vi.hoisted(async () => {
  const { consola } = await import('consola')
  const lines: string[] = []
  consola.mockTypes(() => (line: unknown) => void (/reserve/.test(String(line)) && lines.push(String(line))))
  return lines
})

function configure(limits: Parameters<typeof configureSync>[0]) {
  configureSync(limits)
  onTestFinished(() => configureSync())
}

async function counted(database: Awaited<ReturnType<typeof openTestDatabase>>) {
  const [row] = await database.read.all<{ bytes: number, rows: number, realBytes: number, realRows: number }>(sql`
    select used_bytes as bytes, used_rows as rows,
      (select coalesce(sum(${changeBytes}), 0) from changes where log_id = logs.id) as "realBytes",
      (select count(*) from changes where log_id = logs.id) as "realRows"
    from logs`)
  return row!
}

// Seen red without the subtraction in the clean-up, and with the claim of a refused op left in.
it('counts exactly what the log holds, through pushes, repeats, losers and clean-up', async () => {
  const clock = startClock()
  const database = await openTestDatabase()
  const adapter = adapterOf(database)
  const ops = [putOf('a'), putOf('b', { payload: undefined }), putOf('é\u{1F600}')]
  await adapter.push(event, { scope, ops })
  await adapter.push(event, { scope, ops: [...ops, putOf('c')] })
  await adapter.push(event, { scope, ops: [putOf('a', { stamp: { clock: 3 } }), putOf('a', { stamp: { clock: 2 } }), deleteOf('b', { stamp: { clock: 2 } })] })
  const before = await counted(database)
  expect([before.bytes, before.rows]).toEqual([before.realBytes, before.realRows])
  clock.advance(3_601)
  await engineOf(database).gcTombstones(createSystemCaller(scope.workspaceId), { scope, retentionSeconds: 3_600 })
  const after = await counted(database)
  expect(after.rows).toBeLessThan(before.rows)
  expect([after.bytes, after.rows]).toEqual([after.realBytes, after.realRows])
})

// Seen red without the check; and with deletes refused too.
it('refuses a put beyond the rows for good, alone, still takes deletes, and knows a repeat', async () => {
  configure({ maxWorkspaceRows: 10 })
  const adapter = adapterOf(await openTestDatabase())
  const ops = Array.from({ length: 12 }, (_, index) => putOf(`m${index}`))
  const { results } = await adapter.push(event, { scope, ops })
  expect(results.map(receipt => receipt.success)).toEqual([...Array<boolean>(10).fill(true), false, false])
  expect(results.at(-1)).toMatchObject({ errorCode: 'OVERSIZED', retryable: false, error: expect.stringMatching(/^QUOTA_EXCEEDED/) })
  expect((await adapter.push(event, { scope, ops })).results.filter(receipt => receipt.replayed)).toHaveLength(10)
  expect((await adapter.push(event, { scope, ops: [deleteOf('m1', { stamp: { clock: 2 } })] })).results[0]).toMatchObject({ success: true })
  // Deletes end at a tenth above it: they are rows too.
  expect((await adapter.push(event, { scope, ops: [deleteOf('m2', { stamp: { clock: 2 } })] })).results[0]).toMatchObject({ success: false })
})

// Seen red with the workspaces of an owner counted each by itself.
it('bounds the bytes of all workspaces of an owner, and tells how full the active one is', async () => {
  const { call, meet, post } = await serveRoutes({ limits: { rateLimits: false, maxOwnerBytes: 20_000 } })
  const { workspaceId } = await meet('ann')
  const big = () => {
    const op = putOf(crypto.randomUUID())
    return { ...op, payload: { ...op.payload as object, data: 'x'.repeat(9_000) } }
  }
  const { body: { id } } = await call<{ id: string }>('POST /api/workspaces', { as: 'ann', body: { name: 'Second' } })
  const pushTo = async (workspace: string) => ((await post('push', { scope: { workspaceId: workspace }, ops: [big()] })).body['results'] as { success: boolean }[])[0]!.success
  expect([await pushTo(workspaceId), await pushTo(id), await pushTo(id), await pushTo(workspaceId)]).toEqual([true, true, false, false])
  const { body } = await call<{ usage: object }>('GET /api/auth/session', { as: 'ann' })
  expect(body.usage).toMatchObject({ rows: 1, maxBytes: expect.any(Number), maxRows: 2_000_000 })
  await meet('ben')
  const bens = (await meet('ben')).workspaceId
  expect((await post('push', { scope: { workspaceId: bens }, ops: [big()] }, { 'x-user': 'ben' })).body['results']).toMatchObject([{ success: true }])
})

// Seen red without the reserve; and with a health that told nothing of it.
it('keeps the end of the disk for deletes, sessions and clean-up', async () => {
  const { post, meet } = await serveRoutes({ limits: { rateLimits: false, diskReserveBytes: Number.MAX_SAFE_INTEGER } })
  const own = { workspaceId: (await meet('ann')).workspaceId }
  expect(await post('push', { scope: own, ops: [putOf('a')] })).toMatchObject({ status: 503, body: { data: { code: 'DATABASE_FULL', retryable: true } } })
  const mixed = await post('push', { scope: own, ops: [putOf('a'), deleteOf('b')] })
  expect(mixed.body['results']).toMatchObject([{ success: false, errorCode: 'RATE_LIMITED' }, { success: true }])
  const engine = await useSyncEngine()
  expect(await readHealth(engine)).toMatchObject({ status: 200, health: { writable: true, problem: 'DATABASE_FULL' } })
  await meet('somebody-new')
  expect((await post('gc-tombstones', { scope: own, retentionSeconds: 3_600 })).status).toBe(200)
  configureSync({ rateLimits: false, diskReserveBytes: 1 })
  expect(await readHealth(engine)).toMatchObject({ status: 200, health: { problem: null } })
  await vi.waitFor(async () => {
    expect((await post('push', { scope: own, ops: [putOf('c')] })).status).toBe(200)
    expect(lines).toHaveLength(2)
  }, 5_000)
  expect(lines).toEqual([expect.stringMatching(/^The disk of the database has \d+ bytes left, less than its reserve/), expect.stringMatching(/has its reserve again/)])
})

// Seen red without the purge: every row was there for ever.
it('removes a workspace deleted longer ago than the retention with all its rows, and uses their space again', async () => {
  const clock = startClock()
  const { database, call, meet, post } = await serveRoutes()
  await meet('ann')
  const fill = async () => {
    const { body: { id } } = await call<{ id: string }>('POST /api/workspaces', { as: 'ann', body: { name: 'Soon gone' } })
    const ops = Array.from({ length: 300 }, (_, index) => putOf(`m${index}`))
    await post('push', { scope: { workspaceId: id }, ops })
    await post('update-cursor', { scope: { workspaceId: id }, deviceId: 'd', version: 1 })
    await call(`POST /api/workspaces/${id}/invites`, { as: 'ann', body: { email: 'x@example.org', role: 'viewer' } })
    await call(`DELETE /api/workspaces/${id}`, { as: 'ann' })
    return id
  }
  const engine = engineOf(database)
  const pages = async () => (await database.read.all<{ page_count: number }>(sql`pragma page_count`))[0]!.page_count
  const id = await fill()
  const full = await pages()
  expect(await engine.cleanAllWorkspaces({ retentionSeconds: 3_600 })).toMatchObject({ purged: 0 })
  clock.advance(3_601)
  expect(await engine.cleanAllWorkspaces({ retentionSeconds: 3_600 })).toMatchObject({ purged: 1, failures: [] })
  const tables = await database.read.all<{ name: string }>(sql`
    select name from sqlite_master m where type = 'table' and exists (select 1 from pragma_table_info(m.name) where name = 'workspace_id')`)
  expect(tables.length).toBeGreaterThan(5)
  for (const { name } of tables) {
    expect(await database.read.all(sql`select 1 from ${sql.identifier(name)} where workspace_id = ${id}`), name).toEqual([])
  }
  expect(await database.read.all(sql`select 1 from changes`)).toEqual([])
  expect(await database.read.all(sql`select 1 from workspaces where id = ${id}`)).toEqual([])
  await fill()
  expect(await pages()).toBeLessThanOrEqual(full + 2)
})
