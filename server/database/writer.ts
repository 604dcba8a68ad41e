/**
 * The one writer. Jobs wait in a queue; whatever waits is run in one transaction and committed once (group commit),
 * so that many small writes share one flush to disk. A job resolves only after that commit. A busy database is waited
 * for in JavaScript, never in the driver, which would stop the event loop. Upholds P1, P3 and P9.
 */
import { setImmediate as yieldToLoop } from 'node:timers/promises'
import type { Client, InStatement, Transaction } from '@libsql/core/api'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
// The entry that does not import the native driver, which may be missing on this platform.
import { drizzle } from 'drizzle-orm/libsql/web'
import { backOff } from './busy.ts'
import { delegate } from './delegate.ts'
import type { Executor } from './statement.ts'
import { type Condition, createCondition } from './condition.ts'
import { isBusy, toPublicError } from './driver-error.ts'
import { isSyncError } from '../errors.ts'
import { createActivity, findWriteRefusal, type WriterActivity } from './write-queue.ts'

export interface Writer {
  write<T>(job: WriteJob<T>): Promise<T>
  /** Refuses new jobs and resolves when the waiting ones are done. */
  drain(): Promise<void>
  readonly queued: number
  readonly activity: WriterActivity
}

type DrizzleTransaction = Parameters<Parameters<LibSQLDatabase['transaction']>[0]>[0]

/** Drizzle's transaction; its `execute` is for compiled statements (statement.ts). */
export type WriteTransaction = DrizzleTransaction & Executor

/**
 * Only database calls on `tx`: other waits would hold everybody up. It may be run again, so it changes nothing else.
 */
export type WriteJob<T> = (tx: WriteTransaction) => Promise<T>

export interface WriterOptions {
  /** After this long without the lock a job is refused with 503. */
  busyTimeoutMs: number
  /** Done after a commit, before the next one begins; it never throws. */
  afterCommit?: (() => Promise<void> | undefined) | undefined
  /** Is told each outcome, and asked before each acknowledgement whether the file is still in its place. */
  condition?: Condition | undefined
}

interface Waiting {
  run: (tx: WriteTransaction) => Promise<void>
  resolve: () => void
  reject: (error: unknown) => void
  /** On the monotonic clock; a job that still waits for the lock then is refused. */
  deadline: number
  failure: { error: unknown } | undefined
}

/** One commit takes no more jobs than this, nor starts another after so long: the loop must turn. */
const maxJobsPerCommit = 64
const maxCommitMs = 15

/** For so long after jobs have come together others are expected to. */
const crowdMs = 100

/** Starts the one writer of `client`, which must not be written through otherwise. */
export function createWriter(
  client: Client,
  { busyTimeoutMs, afterCommit, condition = createCondition() }: WriterOptions,
): Writer {
  let open: Transaction | undefined
  const database = drizzle(delegate(client, {
    transaction: async (...mode: Parameters<Client['transaction']>) => open = await client.transaction(...mode),
  }))
  const withExecute = (tx: DrizzleTransaction): WriteTransaction => {
    // Its own: a job that is over must not reach into the next group's.
    const own = open!
    return Object.assign(tx, { execute: (statement: InStatement) => own.execute(statement) })
  }
  const queue: Waiting[] = []
  let running: Promise<void> | undefined
  let draining = false
  let turnedAt = 0
  let crowdedAt = -Infinity
  const counts = { commits: 0, jobs: 0, busyWaits: 0 }

  async function run() {
    // Node reads requests one at a time. Without a turn of the loop each job would be committed alone.
    if (isCrowded()) await gather()
    while (queue.length > 0) {
      await commit(queue)
      await afterCommit?.()
      if (isCrowded()) await gather()
      // A single commit need not wait for a turn. A chain of commits, each queued when the one before resolved, would
      // never let the loop turn.
      else if (queue.length > 0 || performance.now() - turnedAt >= maxCommitMs) await turn()
    }
    running = undefined
  }

  /**
   * A request takes several turns of the loop to get here. While a turn brings another job, the next one may as well.
   */
  async function gather() {
    const until = performance.now() + maxCommitMs
    let before: number
    do {
      before = queue.length
      await turn()
    } while (queue.length > before && queue.length < maxJobsPerCommit && turnedAt < until)
  }

  async function turn() {
    await yieldToLoop()
    turnedAt = performance.now()
  }

  function isCrowded() {
    return performance.now() - crowdedAt < crowdMs
  }

  /** Takes jobs off the front of `waiting`, commits them together, and settles them. */
  async function commit(waiting: Waiting[]) {
    // What is written to a lost file is lost too: the jobs are refused unwritten until the file is back.
    if (condition.isMoved) {
      const moved = findMoved()
      if (moved !== undefined) return waiting.splice(0).forEach(job => job.reject(moved))
    }
    let isolated = false
    for (let attempt = 0; waiting.length > 0; attempt++) {
      const group: Waiting[] = []
      try {
        await database.transaction(tx => runGroup(withExecute(tx), waiting, group, isolated))
      }
      catch (error) {
        // Nothing of the group was committed.
        if (isBusy(error)) {
          while (waiting.length > 0 && waiting[0]!.deadline < performance.now()) rejectJob(waiting.shift()!, error)
          counts.busyWaits++
          await backOff(attempt)
          continue
        }
        if (group.length <= 1) {
          rejectJob(waiting.shift()!, error)
          return
        }
        if (isolated) {
          await commitEach(waiting.splice(0, group.length))
          return
        }
        // Few jobs fail: a savepoint for each would cost a small push a tenth, so only a group where one has failed
        // gets them.
        isolated = true
        await turn()
        continue
      }
      waiting.splice(0, group.length)
      if (group.length > 1) crowdedAt = performance.now()
      const moved = findMoved()
      if (moved === undefined) {
        condition.noteCommit()
        counts.commits++
        counts.jobs += group.length
      }
      for (const job of group) settle(job, moved)
      return
    }
  }

  function findMoved(): unknown {
    try {
      return condition.assertInPlace()
    }
    catch (error) {
      return error
    }
  }

  /** `moved` is why a commit cannot be acknowledged. */
  function settle(job: Waiting, moved: unknown) {
    if (job.failure) rejectJob(job, job.failure.error)
    else if (moved !== undefined) job.reject(moved)
    else job.resolve()
  }

  function rejectJob(job: Waiting, error: unknown) {
    const cause = job.failure?.error ?? error
    if (!isSyncError(cause)) condition.noteFailure(cause, 'write')
    job.reject(toPublicError(cause))
  }

  /** The job that broke the group's transaction should fail alone, so each job gets a transaction of its own. */
  async function commitEach(jobs: Waiting[]) {
    for (const job of jobs) {
      await commit([job])
      await turn()
    }
  }

  return {
    write<T>(job: WriteJob<T>) {
      const refusal = findWriteRefusal(draining, queue.length)
      if (refusal) return Promise.reject(refusal)
      return new Promise<T>((resolve, reject) => {
        let value: T
        queue.push({
          run: async (tx) => {
            value = await job(tx)
          },
          resolve: () => resolve(value),
          reject,
          deadline: performance.now() + busyTimeoutMs,
          failure: undefined,
        })
        running ??= run()
      })
    },
    async drain() {
      draining = true
      await running
    },
    get queued() {
      return queue.length
    },
    activity: createActivity(queue, counts, condition),
  }
}

/**
 * Runs jobs off the front of `waiting`, and those that come meanwhile; `group` says which, even when this throws. One
 * that fails takes the transaction with it, unless they are `isolated`.
 */
async function runGroup(tx: WriteTransaction, waiting: readonly Waiting[], group: Waiting[], isolated: boolean) {
  const startedAt = performance.now()
  while (group.length < Math.min(waiting.length, maxJobsPerCommit)) {
    const job = waiting[group.length]!
    group.push(job)
    job.failure = undefined
    await (isolated ? runInSavepoint(tx, job) : job.run(tx))
    if (performance.now() - startedAt > maxCommitMs) break
  }
}

async function runInSavepoint(tx: WriteTransaction, job: Waiting) {
  try {
    await tx.execute('SAVEPOINT job')
    await job.run(tx)
    await tx.execute('RELEASE job')
  }
  catch (error) {
    job.failure = { error }
    // Where that ended the transaction this fails as well, and the group with it.
    await tx.execute('ROLLBACK TO job')
    await tx.execute('RELEASE job')
  }
}
