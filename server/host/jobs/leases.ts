/**
 * Who works on a job. A lease has one owner and an end. After that end another worker may take the job over, and starts
 * from its last checkpoint. Claiming is one transaction of the one writer, so a job is never claimed twice.
 */
import { and, asc, eq, isNull, lte, or, type SQL } from 'drizzle-orm'
import type { WriteTransaction } from '../../database/types.ts'
import { backgroundJobs } from '../../database/schema/index.ts'
import { escapeText, toExecutionColumns, toJob } from './rows.ts'
import type { BackgroundJob, JobExecution, JobTypes } from './types.ts'
import { ownsLease, readRunning } from './writes.ts'

export interface Claim { leaseOwner: string, nowMs: number, leaseExpiresAtMs: number }

/** Null where the job is not to be had. */
export function claimJob<T extends JobTypes>(
  tx: WriteTransaction,
  jobId: string,
  claim: Claim,
): Promise<BackgroundJob<T> | null> {
  return claimWhere(tx, eq(backgroundJobs.id, jobId), claim)
}

/** The oldest job that waits for a worker. */
export function claimNextJob<T extends JobTypes>(tx: WriteTransaction, claim: Claim): Promise<BackgroundJob<T> | null> {
  return claimWhere(tx, undefined, claim)
}

async function claimWhere<T extends JobTypes>(
  tx: WriteTransaction,
  which: SQL | undefined,
  claim: Claim,
): Promise<BackgroundJob<T> | null> {
  const { leaseOwner, nowMs, leaseExpiresAtMs } = claim
  const [row] = await tx.select().from(backgroundJobs)
    .where(and(
      which, eq(backgroundJobs.status, 'streaming'), eq(backgroundJobs.claimable, 1), eq(backgroundJobs.parked, 0),
      or(isNull(backgroundJobs.leaseOwner), lte(backgroundJobs.leaseExpiresAtMs, nowMs)),
    ))
    .orderBy(asc(backgroundJobs.startedAtMs)).limit(1)
  if (!row) return null
  const { contentBase = '', reasoningBase = '' } = JSON.parse(row.execution ?? '{}') as Partial<JobExecution>
  const recovered = row.attempts === 0
    ? {}
    : { content: escapeText(contentBase), reasoning: escapeText(reasoningBase), chunksReceived: 0 }
  const change = { leaseOwner, leaseExpiresAtMs, attempts: row.attempts + 1, activeAtMs: nowMs, ...recovered }
  await tx.update(backgroundJobs).set(change).where(eq(backgroundJobs.id, row.id))
  return toJob({ ...row, ...change })
}

/** False where another has taken the lease; one that is over and untaken can be renewed. */
export async function renewLease(
  tx: WriteTransaction,
  jobId: string,
  { leaseOwner, leaseExpiresAtMs }: Omit<Claim, 'nowMs'>,
): Promise<boolean> {
  const job = await readRunning(tx, jobId)
  if (!job || !ownsLease(job, leaseOwner)) return false
  await tx.update(backgroundJobs).set({ leaseExpiresAtMs }).where(eq(backgroundJobs.id, jobId))
  return true
}

/** Keeps a checkpoint. False where another has taken the lease. */
export async function updateExecution(
  tx: WriteTransaction,
  jobId: string,
  execution: JobExecution,
  leaseOwner: string,
): Promise<boolean> {
  const job = await readRunning(tx, jobId)
  if (!job || !ownsLease(job, leaseOwner)) return false
  await tx.update(backgroundJobs).set(toExecutionColumns(execution)).where(eq(backgroundJobs.id, jobId))
  return true
}
