/**
 * A job as a row and back. Streamed text is kept as the inside of a JSON string: such texts can be appended to each
 * other, and a character cut in two by a chunk, or a NUL, reads back as it was. Pure.
 */
import type { backgroundJobs } from '../../database/schema/index.ts'
import type { BackgroundJob, CreateJobParams, HistoryPhase, JobExecution, JobProgress, JobTypes } from './types.ts'

export type JobRow = typeof backgroundJobs.$inferSelect

/** A text as it stands inside a JSON string, without the quotes. */
export function escapeText(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}

/** The text that `escapeText` wrote. */
function unescapeText(escaped: string): string {
  return JSON.parse(`"${escaped}"`) as string
}

/** The job that a row holds. */
export function toJob<T extends JobTypes>(row: JobRow): BackgroundJob<T> {
  return {
    id: row.id,
    userId: row.userId,
    ...JSON.parse(row.details) as Pick<BackgroundJob<T>, 'threadId' | 'messageId' | 'model'>,
    ...JSON.parse(row.progress) as JobProgress<T>,
    historyPhase: row.historyPhase ?? undefined,
    status: row.status,
    content: unescapeText(row.content),
    reasoning: unescapeText(row.reasoning),
    chunksReceived: row.chunksReceived,
    startedAt: row.startedAtMs,
    lastActivityAt: row.activeAtMs,
    completedAt: row.completedAtMs ?? undefined,
    error: row.error === null ? undefined : unescapeText(row.error),
    execution: row.execution === null ? undefined : JSON.parse(row.execution) as T['execution'],
    leaseOwner: row.leaseOwner ?? undefined,
    leaseExpiresAt: row.leaseExpiresAtMs ?? undefined,
    attempts: row.attempts,
  }
}

/** The row of a new job. */
export function toRow<T extends JobTypes>(id: string, params: CreateJobParams<T>, nowMs: number): JobRow {
  const {
    userId, idempotencyKey, initialContent = '', initialReasoning = '',
    execution, tool_calls, workflow_state, ...rest
  } = params
  const { threadId, messageId, model, kind = 'chat', generationId, syncProviderId, historyPhase } = rest
  return {
    id, userId,
    status: 'streaming',
    idempotencyKey: idempotencyKey ?? null,
    ...toExecutionColumns(execution, isReady(historyPhase)),
    historyPhase: historyPhase ?? null,
    leaseOwner: null, leaseExpiresAtMs: null, attempts: 0,
    startedAtMs: nowMs, activeAtMs: nowMs, completedAtMs: null,
    chunksReceived: 0,
    error: null,
    details: JSON.stringify({ threadId, messageId, model, kind, generationId, syncProviderId }),
    progress: JSON.stringify({ tool_calls, workflow_state }),
    reasoning: escapeText(initialReasoning),
    content: escapeText(initialContent),
  }
}

/** A job with a history waits until its admission is in it. */
export function isReady(phase: HistoryPhase | undefined): boolean {
  return phase === undefined || phase === 'ready'
}

/** A worker may claim a job that has an execution to run again. A job that waits for a browser is parked. */
export function toExecutionColumns(
  execution: JobExecution | undefined,
  mayRun = true,
): Pick<JobRow, 'execution' | 'claimable' | 'parked'> {
  return {
    execution: execution === undefined ? null : JSON.stringify(execution),
    claimable: execution !== undefined && execution.kind === undefined && mayRun ? 1 : 0,
    parked: execution?.clientToolCall === undefined ? 0 : 1,
  }
}
