/**
 * The one writer. Jobs wait in a queue; whatever waits is run in one transaction and committed once (group commit),
 * so that many small writes share one flush to disk. A job resolves only after that commit. A busy database is waited
 * for in JavaScript, never in the driver, which would stop the event loop. Upholds P1, P3 and P9.
 */
import { setImmediate as yieldToLoop } from 'node:timers/promises'
import type { Client, InStatement, Transaction } from '@libsql/core/api'
import { drizzle, type LibSQLDatabase } from 'drizzle-orm/libsql'
import { backOff } from './busy.ts'
import { delegate } from './delegate.ts'
import type { Executor } from './statement.ts'
import { isBusy, isFull, toPublicError } from './driver-error.ts'
import { createSyncError } from '../errors.ts'

export interface Writer {
  write<T>(job: WriteJob<T>): Promise<T>
  /** Refuses new jobs and resolves when the waiting ones are done. */
  drain(): Promise<void>
  readonly queued: number
  readonly activity: WriterActivity
}

/** What the writer has done since the start, for whoever watches it. */
export interface WriterActivity {
  readonly queued: number
  readonly commits: number
  /** Jobs acknowledged. */
  readonly jobs: number
  /** How often another process's lock was waited for. */
  readonly busyWaits: number
  /** True after a write was refused for want of room, until one succeeds. */
  readonly isFull: boolean
}

type DrizzleTransaction = Parameters<Parameters<LibSQLDatabase['transaction']>[0]>[0]

/** Drizzle's transaction; its `execute` is for compiled statements (statement.ts). */
export type WriteTransaction = DrizzleTransaction & Executor

/** Only database calls on `tx`: other waits would hold everybody up. It may be run again, so it changes nothing else. */
export type WriteJob<T> = (tx: WriteTransaction) => Promise<T>

export interface WriterOptions {
  /** After this long without the lock a job is refused with 503. */
  busyTimeoutMs: number
  /** Done after a commit, before the next one begins; it never throws. */
  afterCommit?: (() => Promise<void> | undefined) | undefined
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

/** A queue this long will not be served in time: refusing at once beats refusing late. */
const maxQueuedJobs = 10_000

export function createWriter(client: Client, { busyTimeoutMs, afterCommit }: WriterOptions): Writer {
  let open: Transaction | undefined
  const database = drizzle(delegate(client, { transaction: async (...mode: Parameters<Client['transaction']>) => open = await client.transaction(...mode) }))
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
  const counts = { commits: 0, jobs: 0, busyWaits: 0, isFull: false }

  async function run() {
    // Requests are read one after the other: without a turn of the loop the first would be committed alone, and so each.
    if (isCrowded()) await gather()
    while (queue.length > 0) {
      await commit(queue)
      await afterCommit?.()
      if (isCrowded()) await gather()
      // A lone commit need not wait for a turn; a chain of them, each queued when the last was told, would never see one.
      else if (queue.length > 0 || performance.now() - turnedAt >= maxCommitMs) await turn()
    }
    running = undefined
  }

  /** A request takes some turns to come this far, a large one more: as long as a turn brings one more, the next may too. */
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
    let isolated = false
    for (let attempt = 0; waiting.length > 0; attempt++) {
      const group: Waiting[] = []
      try {
        await database.transaction(tx => runGroup(withExecute(tx), waiting, group, isolated))
      }
      catch (error) {
        // Nothing of the group was committed.
        if (isBusy(error)) {
          while (waiting.length > 0 && waiting[0]!.deadline < performance.now()) waiting.shift()!.reject(toPublicError(error))
          counts.busyWaits++
          await backOff(attempt)
          continue
        }
        if (isFull(error)) counts.isFull = true
        if (group.length <= 1) {
          refuse(waiting.shift()!, error)
          return
        }
        if (isolated) {
          await commitEach(waiting.splice(0, group.length))
          return
        }
        // Few jobs fail: a savepoint for each would cost a small push a tenth, so only a group where one has failed gets them.
        isolated = true
        await turn()
        continue
      }
      waiting.splice(0, group.length)
      if (group.length > 1) crowdedAt = performance.now()
      counts.commits++
      counts.jobs += group.length
      for (const job of group) {
        counts.isFull = job.failure !== undefined && isFull(job.failure.error)
        settle(job)
      }
      return
    }
  }

  /** Whoever broke the group's transaction should fail alone, so each gets one of its own. */
  async function commitEach(jobs: Waiting[]) {
    for (const job of jobs) {
      await commit([job])
      await turn()
    }
  }

  return {
    write<T>(job: WriteJob<T>) {
      if (draining) return Promise.reject(createSyncError('DATABASE_UNAVAILABLE', 'The server is stopping; nothing was written. Try again.'))
      if (queue.length >= maxQueuedJobs) return Promise.reject(createSyncError('DATABASE_BUSY', 'Too many writes are waiting; nothing was written. Try again.'))
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
    activity: {
      get queued() {
        return queue.length
      },
      get commits() {
        return counts.commits
      },
      get jobs() {
        return counts.jobs
      },
      get busyWaits() {
        return counts.busyWaits
      },
      get isFull() {
        return counts.isFull
      },
    },
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

function settle(job: Waiting) {
  if (job.failure) refuse(job, job.failure.error)
  else job.resolve()
}

function refuse(job: Waiting, error: unknown) {
  job.reject(toPublicError(job.failure?.error ?? error))
}
