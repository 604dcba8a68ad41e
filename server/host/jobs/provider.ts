/**
 * The background-job provider named `sqlite`: each method is one read or one transaction of the files in this folder.
 * One process owns the database, so the abort signals of its running jobs are kept here, in memory.
 */
import { and, count, eq } from 'drizzle-orm'
import type { SyncDatabase, WriteTransaction } from '../../database/types.ts'
import { backgroundJobs } from '../../database/schema/index.ts'
import { providerId } from '../sync-adapter/adapter.ts'
import { admitJob, cancelAdmission, findAdmitted } from './admission.ts'
import { claimToolCall, settleToolCall } from './browser-tools.ts'
import { listPendingHistory, saveSnapshot, setHistoryPhase } from './history.ts'
import { claimJob, claimNextJob, renewLease, updateExecution } from './leases.ts'
import { type JobRow, toJob } from './rows.ts'
import type { BackgroundJob, BackgroundJobProvider, JobLimits, JobTypes } from './types.ts'
import { cleanUpJobs, finishJob, readRunning, requireOwned, updateJob } from './writes.ts'

export interface BackgroundJobOptions {
  limits?: Partial<JobLimits> | undefined
  /** Epoch milliseconds. */
  now?: () => number
}

const defaultLimits = { maxConcurrentJobs: 20, jobTimeoutMs: 300_000, completedJobRetentionMs: 300_000 }
const cleanUpEveryMs = 60_000

/** The host's store of background jobs, kept in the database. */
export function createBackgroundJobProvider<T extends JobTypes = JobTypes>(
  database: () => Promise<SyncDatabase>,
  { limits: given = {}, now = Date.now }: BackgroundJobOptions = {},
): BackgroundJobProvider<T> {
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => typeof value === 'number'))
  const limits: JobLimits = {
    maxConcurrentJobsPerUser: set['maxConcurrentJobs'] ?? defaultLimits.maxConcurrentJobs,
    ...defaultLimits, ...set,
  }
  const servingSinceMs = now()
  /** One for each job this process works on. */
  const controllers = new Map<string, AbortController>()
  let watch: NodeJS.Timeout | undefined
  let cleanedAtMs = -Infinity

  const write = async <R>(job: (tx: WriteTransaction, nowMs: number) => Promise<R>) =>
    (await database()).write(tx => job(tx, now()))

  function stop(jobId: string, reason?: string) {
    if (reason !== undefined) controllers.get(jobId)?.abort(new Error(reason))
    controllers.delete(jobId)
  }

  /** A job that hangs must end even if nobody starts another, and if a clean-up failed before. */
  function startWatch() {
    watch ??= setInterval(() => {
      if (controllers.size === 0) stopWatch()
      else cleanUp().catch(() => {})
    }, cleanUpEveryMs).unref()
  }

  function stopWatch() {
    clearInterval(watch)
    watch = undefined
  }

  async function cleanUp(): Promise<number> {
    cleanedAtMs = now()
    const { timedOut, removed } = await write((tx, nowMs) => cleanUpJobs(tx, limits, { nowMs, servingSinceMs }))
    for (const jobId of timedOut) stop(jobId, 'Job timed out')
    return timedOut.length + removed
  }

  function start(jobId: string) {
    startWatch()
    controllers.set(jobId, new AbortController())
  }

  function startClaimed(job: BackgroundJob<T> | null) {
    if (job) start(job.id)
    return job
  }

  const find = (row: JobRow | undefined) => row ? toJob<T>(row) : null

  return {
    name: providerId,

    async createJob(params) {
      if (now() - cleanedAtMs >= cleanUpEveryMs) await cleanUp()
      const { id, isRunning } = await write((tx, nowMs) => admitJob(tx, params, limits, nowMs))
      if (isRunning && !controllers.has(id)) start(id)
      return id
    },

    async getJob(jobId, userId) {
      const [row] = await (await database()).read.select().from(backgroundJobs).where(eq(backgroundJobs.id, jobId))
      return userId === '*' || row?.userId === userId ? find(row) : null
    },

    updateJob: (jobId, update) => write((tx, nowMs) => updateJob(tx, jobId, update, nowMs)),

    async completeJob(jobId, content, leaseOwner) {
      const ended = await write(async (tx, nowMs) => {
        const job = await requireOwned(tx, jobId, leaseOwner)
        if (job) await finishJob(tx, jobId, { status: 'complete', content, nowMs })
        return job
      })
      if (ended) stop(jobId)
    },

    async failJob(jobId, error, leaseOwner) {
      const ended = await write(async (tx, nowMs) => {
        const job = await requireOwned(tx, jobId, leaseOwner)
        if (job) await finishJob(tx, jobId, { status: 'error', error, nowMs })
        return job
      })
      if (ended) stop(jobId)
    },

    async abortJob(jobId, userId) {
      const aborted = await write(async (tx, nowMs) => {
        const job = await readRunning(tx, jobId)
        if (!job || (userId !== '*' && job.userId !== userId)) return false
        await finishJob(tx, jobId, { status: 'aborted', nowMs })
        return true
      })
      if (aborted) stop(jobId, 'Job aborted')
      return aborted
    },

    getAbortController: jobId => controllers.get(jobId),

    async checkJobAborted(jobId) {
      const { read } = await database()
      const [row] = await read.select({ status: backgroundJobs.status })
        .from(backgroundJobs).where(eq(backgroundJobs.id, jobId))
      return row?.status === 'aborted'
    },

    claimJob: async (jobId, leaseOwner, nowMs, leaseExpiresAtMs) =>
      startClaimed(await write(tx => claimJob<T>(tx, jobId, { leaseOwner, nowMs, leaseExpiresAtMs }))),
    claimNextJob: async (leaseOwner, nowMs, leaseExpiresAtMs) =>
      startClaimed(await write(tx => claimNextJob<T>(tx, { leaseOwner, nowMs, leaseExpiresAtMs }))),
    renewJobLease: (jobId, leaseOwner, _now, leaseExpiresAtMs) =>
      write(tx => renewLease(tx, jobId, { leaseOwner, leaseExpiresAtMs })),
    updateJobExecution: (jobId, execution, leaseOwner) =>
      write(tx => updateExecution(tx, jobId, execution, leaseOwner)),

    claimClientToolCall: (jobId, userId, callId, claimToken, claimExpiresAtMs) =>
      write((tx, nowMs) => claimToolCall<T>(tx, jobId, { userId, callId, claimToken, claimExpiresAtMs, nowMs })),
    settleClientToolCall: (jobId, userId, callId, claimToken, execution, toolCalls) =>
      write((tx, nowMs) =>
        settleToolCall<T>(tx, jobId, { userId, callId, claimToken, nowMs }, { execution, toolCalls })),

    findJobByIdempotencyKey: async (idempotencyKey, userId) =>
      find(await findAdmitted((await database()).read, userId, idempotencyKey)),

    async cancelAdmission(userId, admissionId) {
      const result = await write((tx, nowMs) => cancelAdmission(tx, userId, admissionId, nowMs))
      if (result.aborted) stop(result.jobId!, 'Job aborted')
      return result
    },

    async saveTerminalSnapshot(jobId, snapshot, leaseOwner) {
      const saved = await write(tx => saveSnapshot<T>(tx, jobId, snapshot, leaseOwner))
      if (saved) stop(jobId)
      return saved
    },
    setHistoryPhase: (jobId, phase, { from } = {}) => write(tx => setHistoryPhase(tx, jobId, phase, from)),
    getPendingHistoryJobs: async limit => listPendingHistory<T>((await database()).read, limit),

    cleanupExpired: cleanUp,

    async getActiveJobCount() {
      const { read } = await database()
      const [row] = await read.select({ active: count() }).from(backgroundJobs)
        .where(and(eq(backgroundJobs.status, 'streaming'), eq(backgroundJobs.parked, 0)))
      return row!.active
    },
  }
}
