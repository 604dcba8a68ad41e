/**
 * The shapes of a host's further registries, written out from their contract. Functions are properties here, so that
 * their parameters are compared strictly.
 */
import type { H3Event } from 'h3'

type Role = 'owner' | 'editor' | 'viewer'
interface User { userId: string, email?: string | undefined, displayName?: string | undefined }
type SearchUsers = (input: { query: string, limit?: number | undefined }) => Promise<User[]>

interface Summary {
  id: string
  name: string
  description?: string | undefined
  createdAt: number
  deleted: boolean
  deletedAt?: number | undefined
  ownerUserId?: string | undefined
  ownerEmail?: string | undefined
  memberCount: number
}

interface AccessStore {
  listMembers: (input: { workspaceId: string }) => Promise<{ userId: string, email?: string | undefined, role: Role }[]>
  upsertMember: (input: { workspaceId: string, emailOrProviderId: string, role: Role, provider?: string | undefined }) => Promise<void>
  setMemberRole: (input: { workspaceId: string, userId: string, role: Role }) => Promise<void>
  removeMember: (input: { workspaceId: string, userId: string }) => Promise<void>
  listWorkspaces: (input: { search?: string | undefined, includeDeleted?: boolean | undefined, page: number, perPage: number }) => Promise<{
    items: Summary[], total: number
  }>
  getWorkspace: (input: { workspaceId: string }) => Promise<Summary | null>
  createWorkspace: (input: { name: string, description?: string | undefined, ownerUserId: string }) => Promise<{ workspaceId: string }>
  softDeleteWorkspace: (input: { workspaceId: string, deletedAt: number }) => Promise<void>
  restoreWorkspace: (input: { workspaceId: string }) => Promise<void>
  searchUsers: SearchUsers
}

export interface HostStoreProvider {
  id: string
  order?: number | undefined
  createWorkspaceAccessStore: (event: H3Event) => AccessStore
  createWorkspaceSettingsStore: (event: H3Event) => {
    get: (workspaceId: string, key: string) => Promise<string | null>
    set: (workspaceId: string, key: string, value: string) => Promise<void>
  }
  createAdminUserStore: (event: H3Event) => {
    listAdmins: () => Promise<(User & { createdAt: number })[]>
    grantAdmin: (input: { userId: string, createdByUserId?: string | undefined }) => Promise<void>
    revokeAdmin: (input: { userId: string }) => Promise<void>
    isAdmin: (input: { userId: string }) => Promise<boolean>
    searchUsers: SearchUsers
  }
  getCapabilities?: (() => Record<
    | 'supportsServerSideAdmin' | 'supportsUserSearch' | 'supportsWorkspaceList' | 'supportsWorkspaceManagement'
    | 'supportsDeploymentAdminGrants', boolean
  >) | undefined
}

interface HostSession {
  authenticated: boolean
  provider?: string | undefined
  providerUserId?: string | undefined
  user?: { id: string, email?: string | undefined, displayName?: string | undefined } | undefined
  workspace?: { id: string, name: string } | undefined
  role?: Role | undefined
  expiresAt?: string | undefined
  deploymentAdmin?: boolean | undefined
}

export interface HostProviderAdapter {
  id: string
  kind: 'auth' | 'sync' | 'storage'
  getStatus: (event: H3Event, context: { enabled: boolean, provider: string }) => Promise<{
    details?: Record<string, unknown> | undefined
    warnings: { level: 'warning' | 'error', message: string }[]
    actions: { id: string, label: string, description?: string | undefined, danger?: boolean | undefined }[]
  }>
  runAction?: ((
    event: H3Event, actionId: string, payload: Record<string, unknown> | undefined,
    context: { provider: string, enabled: boolean, session: HostSession },
  ) => Promise<unknown>) | undefined
}

export interface HostChecker { checkDeploymentAdmin: (providerUserId: string, provider: string) => Promise<boolean> }

export interface HostRateLimits {
  readonly name: string
  checkAndRecord: (key: string, config: { windowMs: number, maxRequests: number }) => Promise<{
    allowed: boolean, remaining: number, retryAfterMs?: number | undefined
  }>
  getStats: (key: string, config: { windowMs: number, maxRequests: number }) => Promise<{
    limit: number, remaining: number, resetMs: number
  } | null>
}

// Background jobs

/** Types that a host defines for itself; the provider only keeps them. */
export interface HostToolCall {
  id?: string | undefined
  name: string
  status: 'loading' | 'complete' | 'error' | 'pending' | 'skipped'
  args?: string | undefined
  result?: string | undefined
  error?: string | undefined
}
export interface HostWorkflow { nodes: string[], finished: boolean }
export interface HostUsage { promptTokens: number }
interface HostChatExecution {
  version: 1
  body: Record<string, unknown>
  workspaceId: string
  referer: string
  apiKeyCiphertext: string
  contentBase?: string | undefined
  reasoningBase?: string | undefined
  clientToolCall?: { callId: string, name: string, arguments: string, claimToken?: string | undefined, claimExpiresAt?: number | undefined } | undefined
}
export type HostExecution = HostChatExecution | { version: 1, kind: 'workflow', workspaceId: string }

interface FebJobParams {
  userId: string
  threadId: string
  messageId: string
  model: string
  kind?: 'chat' | 'workflow' | undefined
  tool_calls?: HostToolCall[] | undefined
  workflow_state?: HostWorkflow | undefined
}
interface FebJob extends FebJobParams {
  id: string
  status: 'streaming' | 'complete' | 'error' | 'aborted'
  content: string
  chunksReceived: number
  startedAt: number
  completedAt?: number | undefined
  error?: string | undefined
}
interface FebJobUpdate {
  contentChunk?: string | undefined
  chunksReceived?: number | undefined
  tool_calls?: HostToolCall[] | undefined
  workflow_state?: HostWorkflow | undefined
}

export interface FebJobs {
  readonly name: string
  createJob: (params: FebJobParams) => Promise<string>
  getJob: (jobId: string, userId: string) => Promise<FebJob | null>
  updateJob: (jobId: string, update: FebJobUpdate) => Promise<void>
  completeJob: (jobId: string, finalContent: string) => Promise<void>
  failJob: (jobId: string, error: string) => Promise<void>
  abortJob: (jobId: string, userId: string) => Promise<boolean>
  getAbortController?: (jobId: string) => AbortController | undefined
  checkJobAborted?: ((jobId: string) => Promise<boolean>) | undefined
  cleanupExpired: () => Promise<number>
  getActiveJobCount?: (() => Promise<number>) | undefined
}

type HistoryPhase = 'admission_pending' | 'ready' | 'finalization_pending' | 'committed' | 'superseded' | 'blocked'
interface LateJob extends FebJob {
  reasoning: string
  usage?: HostUsage | undefined
  generationId?: string | undefined
  historyPhase?: HistoryPhase | undefined
  syncProviderId?: string | undefined
  lastActivityAt?: number | undefined
  execution?: HostExecution | undefined
  leaseOwner?: string | undefined
  leaseExpiresAt?: number | undefined
  attempts?: number | undefined
}
interface LateJobParams extends FebJobParams {
  idempotencyKey?: string | undefined
  generationId?: string | undefined
  syncProviderId?: string | undefined
  historyPhase?: HistoryPhase | undefined
  initialContent?: string | undefined
  initialReasoning?: string | undefined
  execution?: HostExecution | undefined
}

export interface LateJobs extends Omit<FebJobs, 'createJob' | 'getJob' | 'updateJob'> {
  createJob: (params: LateJobParams) => Promise<string>
  getJob: (jobId: string, userId: string) => Promise<LateJob | null>
  updateJob: (jobId: string, update: FebJobUpdate & { reasoningChunk?: string | undefined, usage?: HostUsage | undefined, leaseOwner?: string | undefined }) => Promise<void>
  completeJob: (jobId: string, finalContent: string, leaseOwner?: string) => Promise<void>
  failJob: (jobId: string, error: string, leaseOwner?: string) => Promise<void>
  claimJob: (jobId: string, leaseOwner: string, now: number, leaseExpiresAt: number) => Promise<LateJob | null>
  claimNextJob: (leaseOwner: string, now: number, leaseExpiresAt: number) => Promise<LateJob | null>
  renewJobLease: (jobId: string, leaseOwner: string, now: number, leaseExpiresAt: number) => Promise<boolean>
  updateJobExecution: (jobId: string, execution: HostChatExecution, leaseOwner: string) => Promise<boolean>
  claimClientToolCall: (jobId: string, userId: string, callId: string, token: string, expiresAt: number) => Promise<LateJob | null>
  settleClientToolCall: (
    jobId: string, userId: string, callId: string, token: string, execution: HostChatExecution, toolCalls: HostToolCall[] | undefined,
  ) => Promise<boolean>
  findJobByIdempotencyKey: (idempotencyKey: string, userId: string) => Promise<LateJob | null>
  cancelAdmission: (userId: string, admissionId: string) => Promise<{ aborted: boolean, jobId?: string | undefined, pending: boolean }>
}
