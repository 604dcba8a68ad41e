import { readFile } from 'node:fs/promises'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { eq, sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { driverCode } from '../../../server/database/driver-error.ts'
import { logs, users } from '../../../server/database/schema/index.ts'
import type { WriteTransaction } from '../../../server/database/types.ts'
import type { ErrorCode } from '../../../shared/error-codes.ts'
import { isSyncError } from '../../../server/errors.ts'
import { startChild } from '../../helpers/child.ts'
import { openTestDatabase, type TestDatabase } from '../../helpers/database.ts'
import { watchLoop } from '../../helpers/loop-watch.ts'

const insert = (database: TestDatabase, id: string) => database.write(async (tx) => {
  await tx.insert(users).values({ id, createdAt: 1 })
  return id
})
const ids = async (database: TestDatabase) => (await database.read.select({ id: users.id }).from(users).orderBy(sql`rowid`)).map(row => row.id)
const failureOf = (work: Promise<unknown>): Promise<unknown> => work.then(() => undefined, (error: unknown) => error)

async function expectRefusal(work: Promise<unknown>, code: ErrorCode) {
  const error = await failureOf(work)
  if (!isSyncError(error)) throw new Error('no refusal', { cause: error })
  expect([error.code, error.retryable]).toEqual([code, true])
  expect(error.message).not.toMatch(/SQLITE|libsql/i)
}

/** The commits in the write-ahead log: the frames that say how large the database is after them. */
async function countCommits({ path }: TestDatabase): Promise<number> {
  const wal = await readFile(`${path}-wal`)
  const frameSize = 24 + wal.readUInt32BE(8)
  let commits = 0
  for (let at = 32; at + frameSize <= wal.length; at += frameSize) if (wal.readUInt32BE(at + 4) > 0) commits++
  return commits
}

describe('a group of jobs', () => {
  // Seen red with groups of one job.
  it('shares one commit when it was queued in one tick, and keeps its order', async () => {
    const database = await openTestDatabase()
    const before = await countCommits(database)
    const wanted = Array.from({ length: 60 }, (_, index) => `u${index}`)
    const settled: string[] = []
    await Promise.all(wanted.map(id => insert(database, id).then(id => settled.push(id))))
    // One, or a few on a machine that takes longer over them than a commit may.
    expect(await countCommits(database) - before).toBeLessThanOrEqual(5)
    expect(settled).toEqual(wanted)
    expect(await ids(database)).toEqual(wanted)
  })

  /** Other work on the machine takes longer than a crowd is waited for, now and then; what is the writer's doing comes each time. */
  const inTime = { retry: 3 }

  // Seen red with no crowd ever seen: 20 commits.
  it('are committed together in a crowd though each comes on its own', inTime, async () => {
    const database = await openTestDatabase()
    await Promise.all([insert(database, 'a'), insert(database, 'b')])
    const before = await countCommits(database)
    const comeAlone = (id: string) => new Promise((resolve, reject) => {
      setImmediate(() => void insert(database, id).then(resolve, reject))
    })
    await Promise.all(Array.from({ length: 20 }, (_, index) => comeAlone(`u${index}`)))
    expect(await countCommits(database) - before).toBeLessThanOrEqual(5)
    expect(await ids(database)).toHaveLength(22)
  })

  // Seen red with one turn in a crowd: 20 commits.
  it('are committed together in a crowd though each comes a turn after the one before', inTime, async () => {
    const database = await openTestDatabase()
    await Promise.all([insert(database, 'a'), insert(database, 'b')])
    const before = await countCommits(database)
    const jobs: Promise<string>[] = []
    for (let index = 0; index < 20; index++) {
      jobs.push(insert(database, `u${index}`))
      await nextTurn()
    }
    await Promise.all(jobs)
    expect(await countCommits(database) - before).toBeLessThanOrEqual(5)
    expect(await ids(database)).toHaveLength(22)
  })

  // Seen red with the job's own error replaced.
  it('lets one that fails fail alone, with its own error', async () => {
    const database = await openTestDatabase()
    const own = new Error('own')
    const [a, b, c, d, e] = await Promise.allSettled([
      insert(database, 'a'),
      database.write(async (tx) => {
        await tx.insert(users).values({ id: 'half', createdAt: 1 })
        throw own
      }),
      insert(database, 'a'),
      insert(database, 'b'),
      database.write(async tx => tx.transaction(async inner => inner.insert(users).values({ id: 'c', createdAt: 1 }))),
    ])
    expect([a.status, b.status, c.status, d.status, e.status]).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled', 'fulfilled'])
    expect(b).toMatchObject({ reason: own })
    expect(driverCode((c as PromiseRejectedResult).reason)).toBe('SQLITE_CONSTRAINT')
    expect(await ids(database)).toEqual(['a', 'b', 'c'])
  })

  // Seen red without savepoints in the second try: 11 commits; and with them in the first: the neighbours run once.
  it('are run again with a savepoint each where one of them fails, and still share a commit', async () => {
    const database = await openTestDatabase()
    const before = await countCommits(database)
    const runs = Array.from({ length: 20 }, () => 0)
    const results = await Promise.allSettled(runs.map((_, index) => database.write(async (tx) => {
      runs[index]!++
      await tx.insert(users).values({ id: `u${index}`, createdAt: 1 })
      if (index === 10) throw new Error('refused')
    })))
    expect(results.flatMap(({ status }, index) => status === 'rejected' ? [index] : [])).toEqual([10])
    expect(await countCommits(database) - before).toBeLessThanOrEqual(5)
    expect(runs[0]).toBe(2)
    expect(await ids(database)).toEqual(runs.flatMap((_, index) => index === 10 ? [] : [`u${index}`]))
  })

  // Seen red with a second run of it.
  it('runs once that fails before any other, and so do the others', async () => {
    const database = await openTestDatabase()
    const runs = [0, 0]
    await Promise.allSettled(runs.map((_, index) => database.write(async (tx) => {
      runs[index]!++
      await tx.insert(users).values({ id: `u${index}`, createdAt: 1 })
      if (index === 0) throw new Error('refused')
    })))
    expect(runs).toEqual([1, 1])
    expect(await ids(database)).toEqual(['u1'])
  })

  // Seen red without a bound: the first is told when no more come.
  it('are not waited for where a turn of the loop takes long', async () => {
    const database = await openTestDatabase()
    await Promise.all([insert(database, 'a'), insert(database, 'b')])
    let isTold = false
    const first = insert(database, 'first').then(() => isTold = true)
    const others: Promise<string>[] = []
    for (let index = 0; index < 30 && !isTold; index++) {
      others.push(insert(database, `u${index}`))
      for (const until = performance.now() + 20; performance.now() < until;);
      await nextTurn()
    }
    expect(others.length).toBeLessThan(10)
    await Promise.all([first, ...others])
  })

  // Seen red with a transaction that did not see that it was over: the neighbours counted twice; and with the failure of
  // the first attempt kept: they were told of a failure that was none.
  it('survives one that breaks the transaction, each neighbour once', async () => {
    const database = await openTestDatabase()
    await database.write(tx => tx.insert(logs).values({ workspaceId: 'w', head: 0 }))
    const count = () => database.write(tx => tx.update(logs).set({ head: sql`${logs.head} + 1` }))
    const jobs = [count(), count(), database.write(tx => tx.run(sql`ROLLBACK`)), count(), count()]
    const results = await Promise.allSettled(jobs)
    expect(results.map(result => result.status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
    await expectRefusal(jobs[2]!, 'DATABASE_UNAVAILABLE')
    expect(await database.read.select().from(logs)).toMatchObject([{ head: 4 }])
  })

  // Seen red with an `execute` that goes to whatever transaction is open.
  it('that is over cannot reach into the one after it', async () => {
    const database = await openTestDatabase()
    let kept: WriteTransaction | undefined
    const over = database.write(async (tx) => {
      kept = tx
      throw new Error('refused')
    })
    expect(await failureOf(over)).toMatchObject({ message: 'refused' })
    const statement = { sql: 'insert into users (id, created_at) values (?, 1)', args: ['late'] }
    await database.write(async (tx) => {
      expect(driverCode(await failureOf(kept!.execute(statement)))).toBe('TRANSACTION_CLOSED')
      await tx.insert(users).values({ id: 'next', createdAt: 1 })
    })
    expect(await ids(database)).toEqual(['next'])
  })

  // Seen red without a turn between the commits: 480 ms.
  it('lets the loop turn, however long the queue', async () => {
    const database = await openTestDatabase()
    const watch = watchLoop()
    for (let round = 0; round < 30; round++) {
      await Promise.all(Array.from({ length: 300 }, (_, index) => insert(database, `u${round}-${index}`)))
    }
    expect(watch.stop()).toBeLessThan(200)
    expect(await database.read.$count(users)).toBe(9_000)
  })

  // Seen red with a turn only where others wait: 340 ms.
  it('lets the loop turn in a chain of writes', async () => {
    const database = await openTestDatabase()
    const watch = watchLoop()
    for (let index = 0; index < 6_000; index++) {
      await insert(database, `u${index}`)
      // The caller's own steps before its next write.
      for (let step = 0; step < 10; step++) await undefined
    }
    expect(watch.stop()).toBeLessThan(200)
  })

  it('is refused when too many wait', async () => {
    const database = await openTestDatabase()
    const jobs = Array.from({ length: 10_000 }, () => database.write(async () => {}))
    await expectRefusal(database.write(async () => {}), 'DATABASE_BUSY')
    await Promise.all(jobs)
    await insert(database, 'after')
  })
})

describe('a full database', () => {
  // Seen red with `SQLITE_FULL` left out of `toPublicError`, and with the error of going back to the savepoint told instead.
  it('refuses what does not fit, lets its neighbours in, reads on, and writes again once there is room', async () => {
    const database = await openTestDatabase()
    const limit = (pages: number) => database.write(tx => tx.run(sql.raw(`PRAGMA max_page_count = ${pages}`)))
    const large = (id: string) => database.write(tx => tx.insert(users).values({ id, displayName: 'x'.repeat(1_000_000), createdAt: 1 }))
    const [{ page_count: pages }] = await database.read.all<{ page_count: number }>(sql`PRAGMA page_count`) as [{ page_count: number }]
    await limit(pages + 20)
    for (let cycle = 0; cycle < 5; cycle++) {
      const refused = [large('l1'), large('l2')]
      const small = insert(database, `s${cycle}`)
      for (const job of refused) await expectRefusal(job, 'DATABASE_FULL')
      await small
      expect(await database.read.$count(users)).toBe(cycle + 1)
    }
    await limit(1_000_000)
    await large('l1')
    expect(await database.read.$count(users)).toBe(6)
  })
})

describe('reads', () => {
  // Seen red with `read` on the writing connection: it waited for the job.
  it('see what is committed, and never wait for a job', async () => {
    const database = await openTestDatabase()
    await insert(database, 'old')
    let written!: () => void
    let finish!: () => void
    const inside = new Promise<void>(resolve => written = resolve)
    const mayEnd = new Promise<void>(resolve => finish = resolve)
    const job = database.write(async (tx) => {
      await tx.insert(users).values({ id: 'new', createdAt: 1 })
      written()
      await mayEnd
    })
    await inside
    expect(await ids(database)).toEqual(['old'])
    finish()
    await job
    expect(await ids(database)).toEqual(['old', 'new'])
  })

  // Seen red without `query_only`.
  it('cannot write', async () => {
    const database = await openTestDatabase()
    const wrong = [
      database.read.insert(users).values({ id: 'a', createdAt: 1 }).run(),
      database.read.transaction(tx => tx.insert(users).values({ id: 'a', createdAt: 1 })),
      database.read.batch([database.read.delete(users).where(eq(users.id, 'a'))]),
    ]
    for (const work of wrong) expect(driverCode(await failureOf(work))).toBe('SQLITE_READONLY')
    await insert(database, 'b')
    expect(await ids(database)).toEqual(['b'])
  })
})

describe('a lock of another process', () => {
  // Seen red with the deadline left out, and with the failed BEGIN told as a failure at once.
  it('is waited for, no longer than told, with the loop turning and reads going on', async () => {
    const database = await openTestDatabase({ busyTimeoutMs: 400 })
    const holder = startChild('helpers/lock-holder.ts', [database.path, 'hold'])
    await holder.line()
    const watch = watchLoop()
    const startedAt = performance.now()
    const early = [insert(database, 'a'), insert(database, 'b')]
    await sleep(200)
    const late = insert(database, 'c')
    expect(await ids(database)).toEqual([])
    for (const job of early) await expectRefusal(job, 'DATABASE_BUSY')
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(400)
    expect(performance.now() - startedAt).toBeLessThan(5_000)
    expect(watch.stop()).toBeLessThan(250)
    void holder.end()
    expect(await late).toBe('c')
    expect(await insert(database, 'd')).toBe('d')
    expect(await ids(database)).toEqual(['c', 'd'])
  })
})

describe('closing', () => {
  // Seen red with `drain` that did not wait.
  it('finishes what waits and refuses what comes', async () => {
    const database = await openTestDatabase()
    const waiting = Array.from({ length: 200 }, (_, index) => insert(database, `u${index}`))
    const closing = database.close()
    await expectRefusal(insert(database, 'late'), 'DATABASE_UNAVAILABLE')
    await closing
    await Promise.all(waiting)
    const again = await openTestDatabase({ path: database.path })
    expect(await again.read.$count(users)).toBe(200)
  })
})
