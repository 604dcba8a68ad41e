/**
 * A job that waits for a tool which only the user's browser can run: one browser claims the call for a while, and its
 * result makes the job a worker's again.
 */
import { eq } from 'drizzle-orm'
import type { WriteTransaction } from '../../database/types.ts'
import { backgroundJobs } from '../../database/schema/index.ts'
import { toExecutionColumns, toJob } from './rows.ts'
import type { BackgroundJob, JobExecution, JobProgress, JobTypes } from './types.ts'
import { readRunning } from './writes.ts'

export interface ToolClaim { userId: string, callId: string, claimToken: string, nowMs: number }

/** Null where no such call waits, or another browser has it. */
export async function claimToolCall<T extends JobTypes>(
  tx: WriteTransaction,
  jobId: string,
  claim: ToolClaim & { claimExpiresAtMs: number },
): Promise<BackgroundJob<T> | null> {
  const waiting = await readWaiting(tx, jobId, claim)
  if (!waiting) return null
  const { clientToolCall: call } = waiting
  if (call.claimToken !== undefined && (call.claimExpiresAt ?? 0) > claim.nowMs) return null
  const execution = {
    ...waiting,
    clientToolCall: { ...call, claimToken: claim.claimToken, claimExpiresAt: claim.claimExpiresAtMs },
  }
  const [row] = await tx.update(backgroundJobs).set({ execution: JSON.stringify(execution), activeAtMs: claim.nowMs })
    .where(eq(backgroundJobs.id, jobId)).returning()
  return toJob(row!)
}

/** False where the claim is over or another's. */
export async function settleToolCall<T extends JobTypes>(
  tx: WriteTransaction,
  jobId: string,
  claim: ToolClaim,
  { execution, toolCalls }: { execution: T['execution'], toolCalls: T['toolCall'][] | undefined },
): Promise<boolean> {
  const waiting = await readWaiting(tx, jobId, claim)
  if (!waiting || waiting.clientToolCall.claimToken !== claim.claimToken) return false
  if ((waiting.clientToolCall.claimExpiresAt ?? 0) <= claim.nowMs) return false
  const job = await readRunning(tx, jobId)
  const progress: JobProgress<T> = { ...JSON.parse(job!.progress) as JobProgress<T>, tool_calls: toolCalls }
  await tx.update(backgroundJobs).set({
    ...toExecutionColumns(execution), progress: JSON.stringify(progress),
    leaseOwner: null, leaseExpiresAtMs: null, activeAtMs: claim.nowMs,
  }).where(eq(backgroundJobs.id, jobId))
  return true
}

type Waiting = JobExecution & { clientToolCall: NonNullable<JobExecution['clientToolCall']> }

async function readWaiting(
  tx: WriteTransaction,
  jobId: string,
  { userId, callId }: ToolClaim,
): Promise<Waiting | undefined> {
  const job = await readRunning(tx, jobId)
  if (!job || job.userId !== userId || job.execution === null) return undefined
  const execution = JSON.parse(job.execution) as JobExecution
  return execution.clientToolCall?.callId === callId ? execution as Waiting : undefined
}
