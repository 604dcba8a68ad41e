/**
 * The way of a job's result into the synced history, as later hosts have it: the job ends with a snapshot, which the
 * host then writes and says so. The history itself is not written here.
 */
import { asc, eq, sql } from 'drizzle-orm'
import type { SyncDatabase, WriteTransaction } from '../../database/types.ts'
import { backgroundJobs } from '../../database/schema/index.ts'
import { escapeText, isReady, toExecutionColumns, toJob } from './rows.ts'
import type { BackgroundJob, HistoryPhase, JobExecution, JobProgress, JobTypes, TerminalSnapshot } from './types.ts'
import { ownsLease, readRunning } from './writes.ts'

/** A page; a host asks again. */
const maxPending = 500

/** False where the job has ended, or another has taken the lease. */
export async function saveSnapshot<T extends JobTypes>(
  tx: WriteTransaction,
  jobId: string,
  snapshot: TerminalSnapshot<T>,
  leaseOwner: string | undefined,
): Promise<boolean> {
  const job = await readRunning(tx, jobId)
  if (!job || !ownsLease(job, leaseOwner)) return false
  const { status, content, reasoning, toolCalls, usage, error, completedAt } = snapshot
  const progress: JobProgress<T> = { ...JSON.parse(job.progress) as JobProgress<T> }
  if (toolCalls !== undefined) progress.tool_calls = toolCalls
  if (usage !== undefined) progress.usage = usage
  await tx.update(backgroundJobs).set({
    status, completedAtMs: completedAt, historyPhase: 'finalization_pending',
    content: escapeText(content), reasoning: escapeText(reasoning), progress: JSON.stringify(progress),
    error: error === undefined ? null : escapeText(error),
    leaseOwner: null, leaseExpiresAtMs: null,
  }).where(eq(backgroundJobs.id, jobId))
  return true
}

/** False where there is no such job, or it is in none of the phases of `from`. */
export async function setHistoryPhase(
  tx: WriteTransaction,
  jobId: string,
  phase: HistoryPhase,
  from: readonly HistoryPhase[] | undefined,
): Promise<boolean> {
  const { historyPhase, execution } = backgroundJobs
  const job = await tx.select({ historyPhase, execution }).from(backgroundJobs)
    .where(eq(backgroundJobs.id, jobId)).get()
  if (!job || (from && !from.some(one => one === job.historyPhase))) return false
  const { claimable } = toExecutionColumns(
    job.execution === null ? undefined : JSON.parse(job.execution) as JobExecution, isReady(phase),
  )
  await tx.update(backgroundJobs).set({ historyPhase: phase, claimable }).where(eq(backgroundJobs.id, jobId))
  return true
}

/** At least one, if there is one; the oldest first. */
export async function listPendingHistory<T extends JobTypes>(
  read: Pick<SyncDatabase['read'], 'select'>,
  limit: number,
): Promise<BackgroundJob<T>[]> {
  const rows = await read.select().from(backgroundJobs)
    .where(sql`history_phase in ('admission_pending', 'finalization_pending')`)
    .orderBy(asc(backgroundJobs.startedAtMs)).limit(Math.min(maxPending, Math.max(1, Math.floor(limit) || 1)))
  return rows.map(row => toJob<T>(row))
}
