/**
 * What is written to a running job: progress, its end, and the end of those that nobody works on any more. A worker
 * says who it is, and writes nothing once another has taken its lease; a host that names no worker writes at any time.
 */
import { and, eq, lt, or, sql } from 'drizzle-orm'
import type { WriteTransaction } from '../../database/types.ts'
import { backgroundJobs, cancelledAdmissions } from '../../database/schema/index.ts'
import { escapeText, type JobRow } from './rows.ts'
import {
  type JobLimits, type JobProgress, type JobStatus, type JobTypes, type JobUpdate, LeaseLostError,
} from './types.ts'

type RunningJob = Pick<JobRow, 'userId' | 'status' | 'leaseOwner' | 'progress' | 'execution'>

/** The state of a running job, without its text; undefined where it is over or never was. */
export async function readRunning(tx: WriteTransaction, jobId: string): Promise<RunningJob | undefined> {
  const { userId, status, leaseOwner, progress, execution } = backgroundJobs
  const [job] = await tx.select({ userId, status, leaseOwner, progress, execution })
    .from(backgroundJobs).where(and(eq(backgroundJobs.id, jobId), eq(status, 'streaming')))
  return job
}

/** True where no owner is named, and for the owner of the lease. Its end does not matter until another takes it. */
export function ownsLease(job: Pick<RunningJob, 'leaseOwner'>, leaseOwner: string | undefined): boolean {
  return !leaseOwner || job.leaseOwner === leaseOwner
}

/**
 * A running job that `leaseOwner` may write to, else undefined. Throws `LeaseLostError` for an owner that lost the
 * lease.
 */
export async function requireOwned(
  tx: WriteTransaction,
  jobId: string,
  leaseOwner: string | undefined,
): Promise<RunningJob | undefined> {
  const job = await readRunning(tx, jobId)
  if (job && ownsLease(job, leaseOwner)) return job
  if (leaseOwner) throw new LeaseLostError('Background job lease was superseded')
  return undefined
}

/** Adds to what a running job has made so far. */
export async function updateJob<T extends JobTypes>(
  tx: WriteTransaction,
  jobId: string,
  update: JobUpdate<T>,
  nowMs: number,
): Promise<void> {
  const job = await requireOwned(tx, jobId, update.leaseOwner)
  if (!job) return
  const { contentChunk, reasoningChunk, chunksReceived, tool_calls, workflow_state, usage } = update
  const progress: JobProgress<T> = { ...JSON.parse(job.progress) as JobProgress<T> }
  if (tool_calls !== undefined) progress.tool_calls = tool_calls
  if (workflow_state !== undefined) progress.workflow_state = workflow_state
  if (usage !== undefined) progress.usage = usage
  await tx.update(backgroundJobs).set({
    activeAtMs: nowMs,
    chunksReceived,
    progress: JSON.stringify(progress),
    ...contentChunk && { content: sql`${backgroundJobs.content} || ${escapeText(contentChunk)}` },
    ...reasoningChunk && { reasoning: sql`${backgroundJobs.reasoning} || ${escapeText(reasoningChunk)}` },
  }).where(eq(backgroundJobs.id, jobId))
}

interface JobEnd {
  status: Exclude<JobStatus, 'streaming'>
  nowMs: number
  content?: string
  error?: string
}

/** Writes the end of a job. */
export async function finishJob(
  tx: WriteTransaction,
  jobId: string,
  { status, nowMs, content, error }: JobEnd,
): Promise<void> {
  await tx.update(backgroundJobs).set({
    status,
    completedAtMs: nowMs,
    ...content !== undefined && { content: escapeText(content) },
    ...error !== undefined && { error: escapeText(error) },
  }).where(eq(backgroundJobs.id, jobId))
}

/** A result that is not in the history yet is kept longer than others: it exists nowhere else. */
const pendingHistoryRetentionMs = 7 * 86_400_000
const isNotPending = sql`${backgroundJobs.historyPhase} is null
  or ${backgroundJobs.historyPhase} not in ('admission_pending', 'finalization_pending')`

export interface CleanedJobs { timedOut: string[], removed: number }

/**
 * Ends the jobs without progress for too long and removes those that ended long ago. Time before `servingSinceMs`, in
 * which the server was down, does not count: a worker may still take such a job up.
 */
export async function cleanUpJobs(
  tx: WriteTransaction,
  { jobTimeoutMs, completedJobRetentionMs }: Pick<JobLimits, 'jobTimeoutMs' | 'completedJobRetentionMs'>,
  { nowMs, servingSinceMs }: { nowMs: number, servingSinceMs: number },
): Promise<CleanedJobs> {
  const timedOut = await tx.update(backgroundJobs)
    .set({ status: 'error', error: escapeText('Job timed out'), completedAtMs: nowMs })
    .where(and(
      eq(backgroundJobs.status, 'streaming'),
      lt(sql`max(${backgroundJobs.activeAtMs}, ${servingSinceMs})`, nowMs - jobTimeoutMs),
    ))
    .returning({ id: backgroundJobs.id })
  const { rowsAffected } = await tx.delete(backgroundJobs).where(and(
    sql`${backgroundJobs.status} <> 'streaming'`,
    lt(backgroundJobs.completedAtMs, nowMs - completedJobRetentionMs),
    or(isNotPending, lt(backgroundJobs.completedAtMs, nowMs - pendingHistoryRetentionMs)),
  ))
  await tx.delete(cancelledAdmissions).where(lt(cancelledAdmissions.expiresAtMs, nowMs))
  return { timedOut: timedOut.map(job => job.id), removed: rowsAffected }
}
