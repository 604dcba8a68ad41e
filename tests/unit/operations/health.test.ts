import { EventEmitter } from 'node:events'
import { randomBytes } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { expect, it, onTestFinished, vi } from 'vitest'
import { logs, users } from '../../../server/database/schema/index.ts'
import { backUp } from '../../../server/operations/backup.ts'
import { readHealth, readRecentHealth, readWalBytes } from '../../../server/operations/health.ts'
import { createMetrics } from '../../../server/operations/metrics.ts'
import { configureOps, readOpsSettings } from '../../../server/config/operations.ts'
import { type SlowStatement, watchStatements } from '../../../server/operations/slow-statements.ts'
import { openTestDatabase, type TestDatabase } from '../../helpers/database.ts'
import { engineOf } from '../../helpers/engine.ts'

const limitPages = (database: TestDatabase, pages: number | undefined) => database.write(async (tx) => {
  const [now] = await tx.all<{ page_count: number }>(sql`PRAGMA page_count`)
  await tx.run(sql.raw(`PRAGMA max_page_count = ${pages === undefined ? 2 ** 30 : now!.page_count + pages}`))
})

it('says what a server that serves has, and no more than that', async () => {
  const database = await openTestDatabase()
  const { createdAt } = await backUp(database)
  await engineOf(database).cleanAllWorkspaces({ retentionSeconds: 3_600 })
  const { status, health } = await readHealth(engineOf(database))
  expect(status).toBe(200)
  expect(health).toEqual({
    ready: true, schemaRevision: expect.any(Number), writable: true, problem: null, lastBackupAt: createdAt,
    lastCleanUpAt: expect.stringMatching(/^\d{4}-/), walBytes: expect.any(Number), queuedWrites: 0,
  })
  expect(health.schemaRevision).toBeGreaterThan(0)
  expect(health.walBytes).toBeGreaterThan(0)
})

it('answers 503 while nothing is open', async () => {
  expect(await readHealth(undefined)).toMatchObject({ status: 503, health: { ready: false, writable: false, problem: 'DATABASE_UNAVAILABLE' } })
})

// Seen red without the second: anybody could have it computed as often as they asked.
it('is computed once a second, and anew where what is wrong has changed', async () => {
  let jumpedMs = 0
  const now = performance.now.bind(performance)
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + jumpedMs)
  onTestFinished(() => clock.mockRestore())
  const database = await openTestDatabase()
  const activity = { problem: null as 'DATABASE_MOVED' | null, isWritable: true, queued: 0, commits: 0, jobs: 0, busyWaits: 0 }
  const engine = { ...engineOf(database), database: { ...database, activity } }
  const first = readRecentHealth(engine)
  expect(await first).toMatchObject({ status: 200 })
  expect(readRecentHealth(engine)).toBe(first)
  activity.problem = 'DATABASE_MOVED'
  const changed = readRecentHealth(engine)
  expect(await changed).toMatchObject({ status: 503 })
  expect(readRecentHealth(engine)).toBe(changed)
  jumpedMs = 1_001
  expect(readRecentHealth(engine)).not.toBe(changed)
})

// Goes red when the writer does not note what was refused for want of room, and when no write is tried.
it('answers 503 while the disk is full, and 200 once there is room, without a restart or a push', async () => {
  const database = await openTestDatabase()
  await limitPages(database, 2)
  const fill = () => database.write(tx => tx.insert(users).values({ id: 'big', displayName: randomBytes(100_000).toString('hex'), createdAt: 1 }))
  await expect(fill()).rejects.toMatchObject({ code: 'DATABASE_FULL' })
  expect(await readHealth(engineOf(database))).toMatchObject({ status: 503, health: { ready: true, writable: false, problem: 'DATABASE_FULL' } })
  expect(await readHealth(engineOf(database))).toMatchObject({ status: 503 })
  // Room for a push, not for so large a row: health finds out by a write of its own.
  await limitPages(database, 30)
  await expect(fill()).rejects.toMatchObject({ code: 'DATABASE_FULL' })
  const before = await readWalBytes(database)
  expect(await readHealth(engineOf(database))).toMatchObject({ status: 200, health: { writable: true } })
  // More than the little room that a refused push leaves over. Seen red with 28 KB.
  expect(await readWalBytes(database) - before).toBeGreaterThan(65_536)
  await limitPages(database, undefined)
  await fill()
})

it('counts what was written, in the text that Prometheus reads', async () => {
  const database = await openTestDatabase()
  const { read } = await createMetrics(() => engineOf(database))
  await database.write(tx => tx.insert(users).values({ id: 'u', createdAt: 1 }))
  const text = await read()
  expect(text).toMatch(/^or3_sync_writes_total 1$/m)
  expect(text).toMatch(/^or3_sync_queued_writes 0$/m)
  expect(await read()).toMatch(/^or3_sync_writes_total 1$/m)
})

// Seen red where any name under /api/sync was a label: each stays among the figures for ever.
it('counts the requests of the operations that there are, and makes no figure of a name that somebody made up', async () => {
  const { begin, read } = await createMetrics(() => undefined)
  const ask = (method: string, path: string) => {
    const res = Object.assign(new EventEmitter(), { statusCode: 200 })
    begin({ method, path, node: { req: { url: path }, res } } as never)
    res.emit('finish')
  }
  ask('POST', '/api/sync/push')
  ask('GET', '/api/sync/push')
  ask('POST', '/api/sync/made-up')
  const counted = (await read()).split('\n').filter(line => line.startsWith('or3_sync_requests_total{'))
  expect(counted).toEqual(['or3_sync_requests_total{operation="push",status="200"} 1'])
})

// Seen red where the last run's figure was told: without a run there is none.
it('counts what no clean-up has read, also where none has run', async () => {
  const database = await openTestDatabase()
  const { read } = await createMetrics(() => engineOf(database))
  await database.write(tx => tx.insert(logs).values([{ workspaceId: 'a', head: 5 }, { workspaceId: 'b', head: 7, cleanedVersion: 4 }]))
  expect(await read()).toMatch(/^or3_sync_clean_up_backlog_versions 8$/m)
  await database.close()
  expect(await read(), 'what can be read without the database').toMatch(/^or3_sync_writes_total 1$/m)
})

it('names a slow statement by a digest of its text, and tells nothing of its values', async () => {
  const slow: SlowStatement[] = []
  const database = await openTestDatabase({ wrapClient: client => watchStatements(client, 0, one => slow.push(one)) })
  slow.length = 0
  const add = (id: string) => database.write(tx => tx.insert(users).values({ id, displayName: 'a secret', createdAt: 1 }))
  await add('1')
  await add('2')
  const inserts = slow.filter(({ name }) => name === 'insert users')
  expect(inserts).toHaveLength(2)
  expect(inserts[0]!.hash).toBe(inserts[1]!.hash)
  expect(JSON.stringify(slow)).not.toContain('secret')
})

it('refuses a setting with a sentence that names it', () => {
  expect(() => configureOps({ OR3_SQLITE_RETENTION_DAYS: '0' })).toThrow(/OR3_SQLITE_RETENTION_DAYS is "0": set it to/)
  expect(() => configureOps({ OR3_SQLITE_METRICS: 'maybe' })).toThrow(/OR3_SQLITE_METRICS/)
  configureOps({ OR3_SQLITE_CLEAN_UP: 'false' }, { retentionDays: 90 })
  expect(readOpsSettings()).toEqual({ cleanUp: false, retentionSeconds: 90 * 86_400, metrics: false, slowStatementMs: 200 })
  configureOps({})
})
