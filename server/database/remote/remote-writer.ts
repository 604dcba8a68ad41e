/**
 * The writes of one server to a remote database: one write transaction at a time, since the server collapses under many
 * writers. Grouped writes that wait go together into one request; any other job has a transaction of its own. What
 * fails in passing (a lock, a lost connection) is tried again up to a limit. Upholds P1, P9 and P13.
 */
import { setImmediate as yieldToLoop } from 'node:timers/promises'
import { LibsqlError, type InStatement, type ResultSet, type Transaction } from '@libsql/core/api'
import { drizzle } from 'drizzle-orm/libsql/web'
import { createSyncError } from '../../errors.ts'
import { delegate } from '../delegate.ts'
import { createCondition } from '../condition.ts'
import { toPublicError } from '../driver-error.ts'
import { createActivity, findWriteRefusal, type WriterActivity } from '../write-queue.ts'
import type { WriteJob, WriteTransaction } from '../writer.ts'
import { backOff } from './back-off.ts'
import type { RemoteConnection, Session } from './connection.ts'
import type { GroupedWrite, GroupedWrites } from './grouped-writes.ts'
import { createRemoteClient } from './remote-client.ts'
import { isOutcomeUnknown, isPassing } from './remote-error.ts'
import { beginToWrite } from './run-batch.ts'

export interface RemoteWriter extends GroupedWrites {
  write<T>(job: WriteJob<T>): Promise<T>
  /** Refuses new writes and resolves when the waiting ones are done. */
  drain(): Promise<void>
  readonly activity: WriterActivity
}

interface Waiting {
  kind: GroupedWrite<unknown, unknown> | undefined
  /** Of a grouped write. */
  item?: unknown
  /** Of any other job: runs it in a transaction of its own. */
  run?: () => Promise<void>
  /** On the monotonic clock: it is refused then, rather than tried again. */
  deadline: number
  resolve: (result: unknown) => void
  reject: (error: unknown) => void
}

/** One request takes no more: a transaction of the server lives for 5 s, and its callers wait for all of it. */
const maxItemsPerGroup = 128

/** Makes the writer of a database server: one write after the other, from a bounded queue. */
export function createRemoteWriter(
  connection: RemoteConnection, { busyTimeoutMs }: { busyTimeoutMs: number },
): RemoteWriter {
  const client = createRemoteClient(connection)
  const queue: Waiting[] = []
  const counts = { commits: 0, jobs: 0, busyWaits: 0 }
  const condition = createCondition()
  const isLast = !connection.keepsSessions
  let session: Session | undefined
  let running: Promise<void> | undefined
  let draining = false

  async function run() {
    // What comes in the same turn of the loop goes together.
    await yieldToLoop()
    for (let next = queue[0]; next; next = queue[0]) {
      if (isOver(next)) {
        rejectJob(queue.shift()!, new LibsqlError('The writes before it took too long', 'SQLITE_BUSY'))
      }
      else if (next.kind) {
        const group = next.kind.isAlone(next.item) ? [queue.shift()!] : takeGroup(next.kind)
        await runGroup(next.kind, group)
      }
      else {
        await runJob(queue.shift()!)
      }
      if (queue.length === 0) await yieldToLoop()
    }
    running = undefined
  }

  /** In order; what does not fit waits for the next group. */
  function takeGroup(kind: GroupedWrite<unknown, unknown>): Waiting[] {
    const { add } = kind.startGroup()
    const group: Waiting[] = []
    const rest = queue.filter((one) => {
      const isTaken = one.kind === kind && group.length < maxItemsPerGroup && !kind.isAlone(one.item) && add(one.item)
      if (isTaken) group.push(one)
      return !isTaken
    })
    queue.splice(0, queue.length, ...rest)
    return group
  }

  async function runGroup(kind: GroupedWrite<unknown, unknown>, group: Waiting[]) {
    const [first] = group
    if (group.length === 1 && kind.isAlone(first!.item)) return runAlone(kind, first!)
    const items = group.map(one => one.item)
    let results: (unknown)[]
    try {
      const answers = await untilServed(group, own => own.send(kind.plan(items), { inTransaction: true, isLast }))
      results = kind.read(items, answers)
    }
    catch (error) {
      if (group.length === 1 || group.every(one => isOver(one))) return group.forEach(one => rejectJob(one, error))
      // One of them broke the transaction: it should fail alone.
      for (const one of group) await runGroup(kind, [one])
      return
    }
    counts.commits++
    for (const [index, one] of group.entries()) {
      const result = results[index]
      if (result === undefined) await runAlone(kind, one)
      else settle(one, result)
    }
  }

  /** Reads and writes in one transaction: two requests. */
  async function runAlone(kind: GroupedWrite<unknown, unknown>, one: Waiting) {
    try {
      const result = await untilServed([one], async (own) => {
        const answers = await own.send(kind.reads(one.item), { begin: beginToWrite })
        const { writes, finish } = kind.decide(one.item, answers)
        return finish(await own.send([...writes, 'COMMIT'], { onlyInTransaction: true, isLast }))
      })
      counts.commits++
      settle(one, result)
    }
    catch (error) {
      rejectJob(one, error)
    }
  }

  /**
   * Runs `work` on the writer's own session until it does not fail in passing or all of `group` are over their time.
   */
  async function untilServed<T>(group: readonly Waiting[], work: (session: Session) => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        session ??= await connection.openSession()
        return await work(session)
      }
      catch (error) {
        // Its transaction may be open, its answer under way: nothing may follow on it.
        session?.close()
        session = undefined
        if (!isPassing(error) || group.every(isOver)) throw error
        counts.busyWaits++
        await backOff(attempt)
      }
      finally {
        if (isLast) {
          session?.close()
          session = undefined
        }
      }
    }
  }

  async function runJob(one: Waiting) {
    for (let attempt = 0; ; attempt++) {
      try {
        await one.run!()
        counts.commits++
        return settle(one, undefined)
      }
      catch (error) {
        if (!isPassing(error) || error instanceof LostCommitError || isOver(one)) return rejectJob(one, error)
        counts.busyWaits++
        await backOff(attempt)
      }
    }
  }

  async function runInTransaction<T>(job: WriteJob<T>): Promise<T> {
    let open: Transaction | undefined
    const own = delegate(client, { transaction: async () => open = withNamedCommit(await client.transaction('write')) })
    return drizzle(own).transaction((tx) => {
      const { execute } = open!
      const write: WriteTransaction = Object.assign(
        tx, { execute: (statement: InStatement): Promise<ResultSet> => execute(statement) },
      )
      return job(write)
    })
  }

  function add(waiting: Omit<Waiting, 'deadline' | 'resolve' | 'reject'>): Promise<unknown> {
    const refusal = findWriteRefusal(draining, queue.length)
    if (refusal) return Promise.reject(refusal)
    return new Promise((resolve, reject) => {
      queue.push({ ...waiting, deadline: performance.now() + busyTimeoutMs, resolve, reject })
      running ??= run()
    })
  }

  function settle(one: Waiting, result: unknown) {
    counts.jobs++
    condition.noteCommit()
    one.resolve(result)
  }

  function rejectJob(one: Waiting, error: unknown) {
    condition.noteFailure(error, 'write')
    one.reject(isOutcomeUnknown(error) ? outcomeUnknown(error) : toPublicError(error))
  }

  return {
    async write<T>(job: WriteJob<T>): Promise<T> {
      let value: T
      await add({
        kind: undefined,
        run: async () => {
          value = await runInTransaction(job)
        },
      })
      return value!
    },
    add: async <Item, Result>(kind: GroupedWrite<Item, Result>, item: Item) =>
      await add({ kind: kind as GroupedWrite<unknown, unknown>, item }) as Result,
    async drain() {
      draining = true
      await running
      session?.close()
    },
    activity: createActivity(queue, counts, condition),
  }
}

/** The answer to a COMMIT was lost: the job may have been done, so it is not run again. */
class LostCommitError extends Error {
  override name = 'LostCommitError'
}

function withNamedCommit(transaction: Transaction): Transaction {
  return delegate(transaction, {
    commit: async () => {
      try {
        await transaction.commit()
      }
      catch (error) {
        throw isOutcomeUnknown(error) ? new LostCommitError('The answer to a commit was lost', { cause: error }) : error
      }
    },
  })
}

function outcomeUnknown(cause: unknown) {
  return createSyncError(
    'DATABASE_UNAVAILABLE', 'The database server did not answer; the write may have been done. Try again.', { cause },
  )
}

function isOver(one: Waiting): boolean {
  return one.deadline < performance.now()
}
