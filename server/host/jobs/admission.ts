/**
 * How a job comes to be: once per admission, within the limits, and not where the admission was called off before. All
 * of it is one transaction of the one writer.
 */
import { randomUUID } from 'node:crypto'
import { and, eq, gt, lte, sql } from 'drizzle-orm'
import type { WriteTransaction } from '../../database/types.ts'
import { backgroundJobs, cancelledAdmissions } from '../../database/schema/index.ts'
import { createSyncError } from '../../errors.ts'
import { type JobRow, toRow } from './rows.ts'
import {
  AdmissionCancelledError, type AdmissionCancellation, type CreateJobParams, type JobLimits, type JobTypes,
} from './types.ts'
import { finishJob } from './writes.ts'

/** Longer than any request is under way. */
const cancellationMs = 600_000

/** The job is a new one, or the admission's. Throws `AdmissionCancelledError`, and RATE_LIMITED over a limit. */
export async function admitJob<T extends JobTypes>(
  tx: WriteTransaction,
  params: CreateJobParams<T>,
  limits: JobLimits,
  nowMs: number,
): Promise<{ id: string, isRunning: boolean }> {
  const { userId, idempotencyKey } = params
  if (idempotencyKey !== undefined) {
    const known = await findAdmitted(tx, userId, idempotencyKey)
    if (known) return { id: known.id, isRunning: known.status === 'streaming' }
    const [cancelled] = await tx.select().from(cancelledAdmissions)
      .where(and(isAdmission(userId, idempotencyKey), gt(cancelledAdmissions.expiresAtMs, nowMs)))
    if (cancelled) throw new AdmissionCancelledError(`The admission ${idempotencyKey} was cancelled.`)
  }
  await requireRoom(tx, userId, limits)
  const id = randomUUID()
  await tx.insert(backgroundJobs).values(toRow(id, params, nowMs))
  return { id, isRunning: true }
}

/** Ends the admission's job where it runs; where there is none yet, it will not come to be. */
export async function cancelAdmission(
  tx: WriteTransaction,
  userId: string,
  idempotencyKey: string,
  nowMs: number,
): Promise<AdmissionCancellation> {
  await tx.delete(cancelledAdmissions).where(lte(cancelledAdmissions.expiresAtMs, nowMs))
  const job = await findAdmitted(tx, userId, idempotencyKey)
  if (job && job.status !== 'streaming') return { aborted: false, jobId: job.id, pending: false }
  if (job) {
    await finishJob(tx, job.id, { status: 'aborted', error: 'Cancelled by user', nowMs })
    return { aborted: true, jobId: job.id, pending: false }
  }
  const expiresAtMs = nowMs + cancellationMs
  await tx.insert(cancelledAdmissions).values({ userId, idempotencyKey, expiresAtMs })
    .onConflictDoUpdate({
      target: [cancelledAdmissions.userId, cancelledAdmissions.idempotencyKey],
      set: { expiresAtMs },
    })
  return { aborted: false, pending: true }
}

/** The user's job with that idempotency key. */
export async function findAdmitted(
  from: Pick<WriteTransaction, 'select'>,
  userId: string,
  idempotencyKey: string,
): Promise<JobRow | undefined> {
  const [row] = await from.select().from(backgroundJobs)
    .where(and(eq(backgroundJobs.userId, userId), eq(backgroundJobs.idempotencyKey, idempotencyKey)))
  return row
}

/** A job that waits for a browser does not count as running. Those that wait have a limit of their own, as high. */
async function requireRoom(
  tx: WriteTransaction,
  userId: string,
  { maxConcurrentJobs, maxConcurrentJobsPerUser }: JobLimits,
): Promise<void> {
  const [counts] = await tx.all<Record<'active' | 'activeOfUser' | 'parked' | 'parkedOfUser', number>>(sql`
    select coalesce(sum(not parked), 0) as active,
      coalesce(sum(not parked and user_id = ${userId}), 0) as "activeOfUser",
      coalesce(sum(parked), 0) as parked, coalesce(sum(parked and user_id = ${userId}), 0) as "parkedOfUser"
    from background_jobs where status = 'streaming'`)
  const { active, activeOfUser, parked, parkedOfUser } = counts!
  if (active >= maxConcurrentJobs) {
    throw createSyncError('RATE_LIMITED', `Max concurrent background jobs reached (${maxConcurrentJobs})`)
  }
  if (activeOfUser >= maxConcurrentJobsPerUser) {
    throw createSyncError(
      'RATE_LIMITED',
      `Max concurrent background jobs per user reached (${maxConcurrentJobsPerUser})`,
    )
  }
  if (parked >= maxConcurrentJobs || parkedOfUser >= maxConcurrentJobsPerUser) {
    throw createSyncError('RATE_LIMITED', 'Too many background jobs wait for a browser')
  }
}

function isAdmission(userId: string, idempotencyKey: string) {
  return and(eq(cancelledAdmissions.userId, userId), eq(cancelledAdmissions.idempotencyKey, idempotencyKey))
}
