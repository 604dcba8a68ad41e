/** The local client and `@libsql/client` under one contract, then what only the local one promises. */
import { join } from 'node:path'
import { setImmediate as turnOfLoop } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createClient } from '@libsql/client'
import { type Client, LibsqlError, type Transaction } from '@libsql/core/api'
import { expect, it } from 'vitest'
import { createLocalClient } from '../../../server/database/local/client.ts'
import { describeDrizzle } from '../../contract/drizzle.ts'
import { describeLibsqlClient, type CreateClient } from '../../contract/libsql-client.ts'
import { makeTempFolder } from '../../helpers/database.ts'
import { watchLoop } from '../../helpers/loop-watch.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const pragmas = ['PRAGMA journal_mode = WAL', 'PRAGMA foreign_keys = ON']
const local: CreateClient = path => createLocalClient({ path, pragmas })
const theirs: CreateClient = path => createClient({ url: `file:${path}` })

describeLibsqlClient('the local client', local)
describeDrizzle('the local client', local)
describeLibsqlClient('@libsql/client', theirs)
describeDrizzle('@libsql/client', theirs)

async function openTwo(options: { busyTimeoutMs?: number, commitsOffLoop?: boolean } = {}) {
  const path = join(await makeTempFolder(), 'two.db')
  const client = createLocalClient({ path, pragmas: [...pragmas, 'PRAGMA synchronous = OFF'], commitsOffLoop: true, ...options })
  const other = local(path)
  await client.execute('CREATE TABLE t (a)')
  return { client, other, seenByOther: async () => (await other.execute('SELECT a FROM t ORDER BY a')).rows.map(row => row['a']) }
}

it('lets a call wait for the open transaction', async () => {
  const { client } = await openTwo()
  const transaction = await client.transaction('write')
  const order: string[] = []
  const waiting = Promise.all([1, 2].map(async (number) => {
    const second = await client.transaction('write')
    order.push(`began ${number}`)
    await second.execute({ sql: 'INSERT INTO t VALUES (?)', args: [number] })
    await second.commit()
    order.push(`ended ${number}`)
  }))
  await transaction.execute('INSERT INTO t VALUES (0)')
  order.push('first ends')
  await transaction.commit()
  await waiting
  expect(order).toEqual(['first ends', 'began 1', 'ended 1', 'began 2', 'ended 2'])
})

// Seen red with `spoiled` never set: the insert resolved, was not committed, and kept everybody else out.
// https://github.com/tursodatabase/libsql-client-ts/issues/352
it.each([
  ['INSERT INTO t VALUES (1)'],
  ['INSERT INTO t VALUES (1) RETURNING a'],
  ['BEGIN IMMEDIATE'],
])('commits what follows after %s met a lock', async (sql) => {
  const { client, other, seenByOther } = await openTwo()
  const holder = await other.transaction('write')
  await expect(sql.startsWith('BEGIN') ? client.transaction('write') : client.execute(sql)).rejects.toMatchObject({ code: 'SQLITE_BUSY' })
  await holder.commit()
  await client.execute('INSERT INTO t VALUES (2)')
  expect(await seenByOther()).toEqual([2])
  await other.execute('INSERT INTO t VALUES (3)')
  expect((await client.execute('SELECT count(*) AS n FROM t')).rows).toEqual([{ n: 2 }])
})

it('waits for a lock without stopping the loop, and no longer than it was told', async () => {
  const { client, other } = await openTwo({ busyTimeoutMs: 300 })
  const holder = await other.transaction('write')
  const watch = watchLoop()
  const startedAt = performance.now()
  await expect(client.execute('INSERT INTO t VALUES (1)')).rejects.toMatchObject({ code: 'SQLITE_BUSY' })
  expect(performance.now() - startedAt).toBeGreaterThan(290)
  expect(performance.now() - startedAt).toBeLessThan(5_000)
  const patient = client.execute('INSERT INTO t VALUES (2)')
  setTimeout(() => void holder.commit(), 100)
  await patient
  expect(watch.stop()).toBeLessThan(250)
})

// Seen red with the driver's `close()` alone: its statements keep the connection, and its lock, until they are collected.
it('gives its lock back when it is closed inside a transaction', async () => {
  const { client, other } = await openTwo()
  const transaction = await client.transaction('write')
  await transaction.execute('INSERT INTO t VALUES (1)')
  const waiting = client.execute('SELECT 1')
  client.close()
  await expect(waiting).rejects.toMatchObject({ code: 'CLIENT_CLOSED' })
  await other.execute('INSERT INTO t VALUES (2)')
  expect((await other.execute('SELECT a FROM t')).rows).toEqual([{ a: 2 }])
})

// A pragma takes effect when it is prepared, and a kept one is not: SQLite prepares it again by itself.
// Seen red with a kept pragma that was not run.
it('runs a pragma each time', async () => {
  const { client } = await openTwo()
  for (const timeout of [5, 0, 5, 0]) {
    await client.execute(`PRAGMA busy_timeout = ${timeout}`)
    await client.execute(`PRAGMA foreign_keys = ${timeout === 0}`)
    expect((await client.execute('PRAGMA busy_timeout')).rows[0]?.[0]).toBe(timeout)
    expect((await client.execute('PRAGMA foreign_keys')).rows[0]?.[0]).toBe(timeout === 0 ? 1 : 0)
  }
})

it('refuses a file that is none, by name', async () => {
  const path = join(await makeTempFolder(), 'missing', 'x.db')
  expect(() => local(path)).toThrow(LibsqlError)
  expect(() => local(path)).toThrow(`SQLITE_CANTOPEN: unable to open ${path}`)
})

// The driver ends the process over these.
it('outlives arguments that the driver does not', async () => {
  const client = local(':memory:')
  expect((await client.execute({ sql: 'SELECT ? AS a', args: {} })).rows).toEqual([{ a: null }])
  expect((await client.execute('SELECT ? AS a', [true])).rows).toEqual([{ a: 1 }])
  for (const odd of [{}, [], Symbol('s'), () => 1, new Map()]) {
    await expect(client.execute('SELECT ?', [odd as unknown as null])).rejects.toThrow(TypeError)
  }
})

// The driver frees what it made only when the event loop turns. Seen red with no statement kept: 270 MB.
it('keeps its memory through a hundred thousand statements without a turn of the loop', async () => {
  const client = local(join(await makeTempFolder(), 'memory.db'))
  await client.execute('CREATE TABLE t (a)')
  const run = async (times: number) => {
    for (let index = 0; index < times; index++) await client.execute('UPDATE t SET a = ?', [index])
  }
  await run(2_000)
  const before = process.memoryUsage.rss()
  await run(100_000)
  expect((process.memoryUsage.rss() - before) / 2 ** 20).toBeLessThan(48)
})

// What a statement was bound with last stays with it. Seen red with each of them kept: 320 MB.
it('lets a statement go that was bound with much text', async () => {
  const client = local(join(await makeTempFolder(), 'text.db'))
  const text = 'x'.repeat(8 * 2 ** 20)
  const ask = async (name: string) => (await client.execute(`SELECT length(?) AS ${name} LIMIT 1`, [text])).rows[0]![name]
  await ask('first')
  const before = process.memoryUsage.rss()
  for (let index = 0; index < 40; index++) {
    expect(await ask(`n${index}`)).toBe(text.length)
    // The driver frees when the loop turns, and after a collection.
    await turnOfLoop()
    collectGarbage()
  }
  expect((process.memoryUsage.rss() - before) / 2 ** 20).toBeLessThan(100)
})

/** Some megabytes: its commit takes longer than a small one, on every disk. */
async function beginLarge(client: Client, rows = 2_000): Promise<Transaction> {
  const transaction = await client.transaction('write')
  await transaction.execute(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}) INSERT INTO t SELECT randomblob(4000) FROM n`)
  return transaction
}

async function isDoneAtOnce(done: Promise<unknown>): Promise<boolean> {
  let isDone = false
  void done.then(() => isDone = true)
  for (let tick = 0; tick < 20; tick++) await null
  const wasDone = isDone
  await done
  return wasDone
}

/** Whether the loop turned before `done` was known. */
async function turnsDuring(done: Promise<unknown>): Promise<boolean> {
  let turned = false
  setImmediate(() => turned = true)
  await done
  return turned
}

// Seen red with every commit on the loop.
it('commits off the loop where the last commit took long, and at once where it did not', async () => {
  const { client, other } = await openTwo()
  expect(await turnsDuring((await beginLarge(client)).commit())).toBe(false)
  expect(await turnsDuring((await beginLarge(client, 10_000)).commit())).toBe(true)
  expect((await other.execute('SELECT count(*) AS n FROM t')).rows).toEqual([{ n: 12_000 }])
  await expect.poll(async () => {
    const transaction = await client.transaction('write')
    await transaction.execute('INSERT INTO t VALUES (1)')
    return isDoneAtOnce(transaction.commit())
  }).toBe(true)
})

// Seen red with the option left unread: without a write-ahead log the commit would meet the locks of our own reads.
it('commits on the loop where it is not told otherwise', async () => {
  const { client } = await openTwo({ commitsOffLoop: false })
  for (let turn = 0; turn < 2; turn++) expect(await turnsDuring((await beginLarge(client)).commit())).toBe(false)
})

// Seen red where a rollback did not mind: the commit on the thread came after it, and committed half of the next transaction.
it.each(['rollback', 'close', 'commit'] as const)('is not disturbed in a commit by a %s', async (call) => {
  const { client, other } = await openTwo()
  await (await beginLarge(client)).commit()
  for (let turn = 2; turn < 12; turn++) {
    const transaction = await beginLarge(client)
    const commit = transaction.commit()
    const disturbance = Promise.resolve(transaction[call]()).catch((error: LibsqlError) => error.code)
    const next = await client.transaction('write')
    await next.execute('INSERT INTO t VALUES (1)')
    await commit
    expect(await disturbance).toBe(call === 'commit' ? 'TRANSACTION_CLOSED' : undefined)
    expect((await other.execute('SELECT count(*) AS n FROM t')).rows).toEqual([{ n: turn * 2_000 }])
    await next.rollback()
  }
})

// Seen red with the look at the connection alone: it waited for the commit, and the loop with it.
it('takes nothing more into a transaction that is being committed, and lets other calls wait', async () => {
  const { client } = await openTwo()
  await (await beginLarge(client)).commit()
  const transaction = await beginLarge(client, 10_000)
  const commit = transaction.commit()
  const isTurning = turnsDuring(commit)
  expect(transaction.closed).toBe(true)
  await expect(transaction.execute('SELECT 1')).rejects.toMatchObject({ code: 'TRANSACTION_CLOSED' })
  const [count] = await Promise.all([client.execute('SELECT count(*) AS n FROM t'), commit])
  expect(count.rows).toEqual([{ n: 12_000 }])
  expect(await isTurning).toBe(true)
})

it('says truly whether a commit was made that was going on when it was closed', async () => {
  const { client, other } = await openTwo()
  await (await beginLarge(client)).commit()
  const commit = (await beginLarge(client)).commit()
  client.close()
  const isMade = await commit.then(() => true, () => false)
  expect((await other.execute('SELECT count(*) AS n FROM t')).rows).toEqual([{ n: isMade ? 4_000 : 2_000 }])
})

// Seen red with scripts on the loop.
it('runs a script off the loop, and other calls wait for its end', async () => {
  const { client } = await openTwo()
  const script = client.executeMultiple('INSERT INTO t VALUES (1); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) INSERT INTO t SELECT i FROM n')
  const count = client.execute('SELECT count(*) AS n FROM t')
  expect(await turnsDuring(script)).toBe(true)
  expect((await count).rows).toEqual([{ n: 100_001 }])
})
