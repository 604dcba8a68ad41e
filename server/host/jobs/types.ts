/**
 * The host's background-job contract as real types: a job is one generation that goes on without its browser. Moments
 * are epoch milliseconds. What a host defines itself and the database only keeps comes as the type parameter.
 */

/** The host's own types within a job. */
export interface JobTypes {
  toolCall: object
  workflow: unknown
  usage: unknown
  execution: JobExecution
}

/** What a worker needs to run a job again; only these fields mean anything here. */
export interface JobExecution {
  version: 1
  workspaceId: string
  /** Set where it is the scope of a workflow, which no worker claims. */
  kind?: string | undefined
  /** The text and reasoning that a recovery starts from. */
  contentBase?: string | undefined
  reasoningBase?: string | undefined
  /** Set while the job waits for a browser to run a tool. */
  clientToolCall?: { callId: string, claimToken?: string | undefined, claimExpiresAt?: number | undefined } | undefined
}

/**
 * Where the write of a job's result into the synced history stands. A worker may claim the job only once it is `ready`.
 */
export type HistoryPhase = 'admission_pending' | 'ready' | 'finalization_pending' | 'committed'
  | 'superseded' | 'blocked'

export type JobStatus = 'streaming' | 'complete' | 'error' | 'aborted'

/** What is said of a job when it is made; only its history phase changes. */
export interface JobDetails {
  threadId: string
  messageId: string
  model: string
  kind?: 'chat' | 'workflow' | undefined
  generationId?: string | undefined
  syncProviderId?: string | undefined
  historyPhase?: HistoryPhase | undefined
}

export interface JobProgress<T extends JobTypes = JobTypes> {
  tool_calls?: T['toolCall'][] | undefined
  workflow_state?: T['workflow'] | undefined
  usage?: T['usage'] | undefined
}

export interface BackgroundJob<T extends JobTypes = JobTypes> extends JobDetails, JobProgress<T> {
  id: string
  userId: string
  status: JobStatus
  content: string
  reasoning: string
  chunksReceived: number
  startedAt: number
  lastActivityAt?: number | undefined
  completedAt?: number | undefined
  error?: string | undefined
  execution?: T['execution'] | undefined
  leaseOwner?: string | undefined
  leaseExpiresAt?: number | undefined
  attempts?: number | undefined
}

export interface CreateJobParams<T extends JobTypes = JobTypes> extends JobDetails, Omit<JobProgress<T>, 'usage'> {
  userId: string
  /** The admission: a second call with it gets the first one's job. */
  idempotencyKey?: string | undefined
  initialContent?: string | undefined
  initialReasoning?: string | undefined
  execution?: T['execution'] | undefined
}

export interface JobUpdate<T extends JobTypes = JobTypes> extends JobProgress<T> {
  /** Appended. */
  contentChunk?: string | undefined
  reasoningChunk?: string | undefined
  chunksReceived?: number | undefined
  /** Of a worker: it writes nothing once another has taken the lease. */
  leaseOwner?: string | undefined
}

/** How a generation ended, to be written into the synced history. */
export interface TerminalSnapshot<T extends JobTypes = JobTypes> {
  status: Exclude<JobStatus, 'streaming'>
  content: string
  reasoning: string
  toolCalls?: T['toolCall'][] | undefined
  usage?: T['usage'] | undefined
  error?: string | undefined
  completedAt: number
}

export interface AdmissionCancellation { aborted: boolean, jobId?: string | undefined, pending: boolean }

export interface BackgroundJobProvider<T extends JobTypes = JobTypes> {
  readonly name: string
  createJob(params: CreateJobParams<T>): Promise<string>
  /** `*` is every user. */
  getJob(jobId: string, userId: string): Promise<BackgroundJob<T> | null>
  updateJob(jobId: string, update: JobUpdate<T>): Promise<void>
  completeJob(jobId: string, finalContent: string, leaseOwner?: string): Promise<void>
  failJob(jobId: string, error: string, leaseOwner?: string): Promise<void>
  abortJob(jobId: string, userId: string): Promise<boolean>
  getAbortController(jobId: string): AbortController | undefined
  checkJobAborted(jobId: string): Promise<boolean>
  claimJob(jobId: string, leaseOwner: string, now: number, leaseExpiresAt: number): Promise<BackgroundJob<T> | null>
  claimNextJob(leaseOwner: string, now: number, leaseExpiresAt: number): Promise<BackgroundJob<T> | null>
  renewJobLease(jobId: string, leaseOwner: string, now: number, leaseExpiresAt: number): Promise<boolean>
  updateJobExecution(jobId: string, execution: T['execution'], leaseOwner: string): Promise<boolean>
  claimClientToolCall(
    jobId: string, userId: string, callId: string, claimToken: string, claimExpiresAt: number,
  ): Promise<BackgroundJob<T> | null>
  settleClientToolCall(
    jobId: string, userId: string, callId: string, claimToken: string,
    execution: T['execution'], toolCalls: T['toolCall'][] | undefined,
  ): Promise<boolean>
  findJobByIdempotencyKey(idempotencyKey: string, userId: string): Promise<BackgroundJob<T> | null>
  cancelAdmission(userId: string, admissionId: string): Promise<AdmissionCancellation>
  /**
   * Ends the job with the snapshot, its history pending, in one. False where it has ended, or another has the lease.
   */
  saveTerminalSnapshot(jobId: string, snapshot: TerminalSnapshot<T>, leaseOwner?: string): Promise<boolean>
  /** With `from` only out of one of these phases. False where nothing was changed. */
  setHistoryPhase(jobId: string, phase: HistoryPhase, options?: { from?: HistoryPhase[] }): Promise<boolean>
  /** Jobs whose admission or end is yet to be written into the history, the oldest first. */
  getPendingHistoryJobs(limit: number): Promise<BackgroundJob<T>[]>
  cleanupExpired(): Promise<number>
  getActiveJobCount(): Promise<number>
}

export interface JobLimits {
  maxConcurrentJobs: number
  maxConcurrentJobsPerUser: number
  /** Without any progress. */
  jobTimeoutMs: number
  completedJobRetentionMs: number
}

/** The host tells these two by their names. */
export class AdmissionCancelledError extends Error {
  override name = 'AdmissionCancelledError'
}

export class LeaseLostError extends Error {
  override name = 'BackgroundJobLeaseLostError'
}

/** Whether the error says that a job was cancelled, or that another has its lease. */
export function isJobRefusal(error: unknown): boolean {
  return error instanceof AdmissionCancelledError || error instanceof LeaseLostError
}
