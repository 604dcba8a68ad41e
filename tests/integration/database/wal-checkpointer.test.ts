/** The write-ahead log beside real readers in another process. Each was seen red, as it says. */
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { count, eq, like, sql } from 'drizzle-orm'
import { expect, it, onTestFinished } from 'vitest'
import { users } from '../../../server/database/schema/index.ts'
import { startChild } from '../../helpers/child.ts'
import { makeTempFolder, openTestDatabase, type TestDatabase } from '../../helpers/database.ts'
import { watchLoop } from '../../helpers/loop-watch.ts'

const megabyte = 2 ** 20
const rowBytes = megabyte / 4
/** A page that stays the same would not be written again. */
const letters = 'abcdefghijk'

/** In memory-backed storage where there is some: a disk that is slow for others' sake would look like a stop of ours. */
async function openQuickly(): Promise<TestDatabase> {
  const folder = await mkdtemp('/dev/shm/or3-layer-').catch(() => makeTempFolder())
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return openTestDatabase({ path: join(folder, 'sync.db') })
}

const insert = (database: TestDatabase, id: string, displayName?: string) =>
  database.write(tx => tx.insert(users).values({ id, displayName, createdAt: 1 }))

const sizeOfLog = ({ path }: TestDatabase) => stat(`${path}-wal`).then(({ size }) => size)

/** Over and over the same rows, so that the file stays small; what the log had at most, how long a write took, and how many waited. */
async function write(database: TestDatabase, megabytes: number) {
  const found = { largestLog: 0, longestMs: 0, waits: 0 }
  for (let turn = 0; turn < megabytes * megabyte / rowBytes; turn++) {
    const startedAt = performance.now()
    const row = { id: `row ${turn % 8}`, displayName: letters[turn % letters.length]!.repeat(rowBytes), createdAt: 1 }
    await database.write(tx => tx.insert(users).values(row).onConflictDoUpdate({ target: users.id, set: row }))
    const tookMs = performance.now() - startedAt
    found.longestMs = Math.max(found.longestMs, tookMs)
    if (tookMs > 140) found.waits++
    found.largestLog = Math.max(found.largestLog, await sizeOfLog(database))
    await sleep(1)
  }
  return found
}

// Seen red without the keeper: 39 MB.
it('is moved into the file under small commits, of which none is large', async () => {
  const database = await openQuickly()
  let largest = 0
  for (let turn = 0; turn < 3_000; turn++) {
    await database.write(tx => tx.insert(users).values({ id: `user ${turn}`, createdAt: 1 }))
    if (turn % 100 === 0) largest = Math.max(largest, await sizeOfLog(database))
  }
  expect(largest).toBeGreaterThan(megabyte)
  expect(largest).toBeLessThan(10 * megabyte)
})

// Seen red on the reading connection: a write kept it from being emptied.
it('is emptied on demand, between the commits', async () => {
  const database = await openQuickly()
  const writes = Promise.all(Array.from({ length: 200 }, (_, turn) => database.write(tx => tx.insert(users).values({ id: `user ${turn}`, displayName: 'x'.repeat(rowBytes / 4), createdAt: 1 }))))
  expect(await Promise.all([database.local!.truncateWal(), sleep(20).then(() => database.local!.truncateWal())])).toEqual([true, true])
  await writes
  expect(await database.local!.truncateWal()).toBe(true)
  expect(await sizeOfLog(database)).toBe(0)
  expect(await database.read.$count(users)).toBe(200)
})

// Seen red without the keeper: the log had all that was written.
it('is emptied though somebody reads at every moment', { timeout: 60_000 }, async () => {
  const database = await openQuickly()
  await write(database, 1)
  const readers = startChild('helpers/log-reader.ts', [database.path, 'follow', '50'])
  expect(await readers.line()).toBe('reading')
  const loop = watchLoop()
  const { largestLog } = await write(database, 160)
  const stopMs = loop.stop()
  await readers.end()
  expect(largestLog).toBeGreaterThan(8 * megabyte)
  expect(largestLog).toBeLessThan(64 * megabyte)
  expect(stopMs).toBeLessThan(200)
})

// Seen red where it waited for the reader's end, and where it did so again with every look.
it('is left to a reader that stays: a write waits for it but for a moment, now and then', { timeout: 60_000 }, async () => {
  const database = await openQuickly()
  await write(database, 1)
  const reader = startChild('helpers/log-reader.ts', [database.path, 'stay'])
  await reader.line()
  const { longestMs, largestLog, waits } = await write(database, 128)
  expect(largestLog, 'the reader holds all of it').toBeGreaterThan(120 * megabyte)
  expect(longestMs).toBeLessThan(1_000)
  expect(waits).toBeGreaterThan(0)
  expect(waits, 'within ten seconds it does not wait again').toBeLessThan(4)
  await reader.end()
})

// Seen red where the keeper gave up for good.
it('is emptied soon after the last reader has gone', { timeout: 60_000 }, async () => {
  const database = await openQuickly()
  const reader = startChild('helpers/log-reader.ts', [database.path, 'stay'])
  await reader.line()
  await write(database, 40)
  await reader.end()
  await expect.poll(async () => {
    await write(database, 0.25)
    return sizeOfLog(database)
  }, { timeout: 15_000 }).toBeLessThan(8 * megabyte)
})

// A kept statement that stood in the middle of its rows would hold the log from being used again.
// Seen red without the keeper: 56 MB.
it('stays small under writes and reads by each kind of statement, and is empty after closing', async () => {
  const database = await openTestDatabase()
  let largest = 0
  for (let round = 0; round < 120; round++) {
    await Promise.all([
      ...Array.from({ length: 100 }, (_, index) => insert(database, `${round}-${index}`, 'x'.repeat(4_000))),
      database.read.select().from(users).where(like(users.id, `${round}-%`)),
      database.read.select().from(users).limit(1),
      database.read.all(sql`SELECT id FROM users LIMIT 1`),
      database.read.select({ n: count() }).from(users).groupBy(users.createdAt),
      database.read.select().from(users).where(eq(users.id, 'nobody')).get(),
    ])
    await expect(database.read.all(sql`SELECT id, 9007199254740993 FROM users`)).rejects.toThrow()
    largest = Math.max(largest, await sizeOfLog(database) / megabyte)
  }
  expect(largest).toBeGreaterThan(1)
  expect(largest).toBeLessThan(16)
  await database.close()
  expect(await sizeOfLog(database)).toBe(0)
})

// Seen red with no timeout for the reading connection: the read failed at once.
it('without a write-ahead log reads and writes wait for a process that holds the file, and the loop turns', async () => {
  const database = await openTestDatabase({ env: { OR3_SQLITE_PRAGMA_JOURNAL_MODE: 'delete' } })
  await insert(database, 'a')
  const holder = startChild('helpers/lock-holder.ts', [database.path, 'hold'])
  await holder.line()
  const watch = watchLoop()
  const read = async () => database.read.$count(users)
  const work = [read(), insert(database, 'b'), read()]
  await sleep(300)
  expect(watch.stop()).toBeLessThan(250)
  await holder.end()
  const [first] = await Promise.all(work)
  expect(first).toBeGreaterThanOrEqual(1)
  expect(await database.read.$count(users)).toBe(2)
})
