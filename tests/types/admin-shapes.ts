/**
 * The shapes of a host's further registries, written out from their contract. Functions are properties here, so that
 * their parameters are compared strictly.
 */
import type { H3Event } from 'h3'

type Role = 'owner' | 'editor' | 'viewer'
interface User { userId: string, email?: string, displayName?: string }
type SearchUsers = (input: { query: string, limit?: number }) => Promise<User[]>

interface Summary {
  id: string
  name: string
  description?: string
  createdAt: number
  deleted: boolean
  deletedAt?: number
  ownerUserId?: string
  ownerEmail?: string
  memberCount: number
}

interface AccessStore {
  listMembers: (input: { workspaceId: string }) => Promise<{ userId: string, email?: string, role: Role }[]>
  upsertMember: (input: { workspaceId: string, emailOrProviderId: string, role: Role, provider?: string }) => Promise<void>
  setMemberRole: (input: { workspaceId: string, userId: string, role: Role }) => Promise<void>
  removeMember: (input: { workspaceId: string, userId: string }) => Promise<void>
  listWorkspaces: (input: { search?: string, includeDeleted?: boolean, page: number, perPage: number }) => Promise<{
    items: Summary[], total: number
  }>
  getWorkspace: (input: { workspaceId: string }) => Promise<Summary | null>
  createWorkspace: (input: { name: string, description?: string, ownerUserId: string }) => Promise<{ workspaceId: string }>
  softDeleteWorkspace: (input: { workspaceId: string, deletedAt: number }) => Promise<void>
  restoreWorkspace: (input: { workspaceId: string }) => Promise<void>
  searchUsers: SearchUsers
}

export interface HostStoreProvider {
  id: string
  order?: number
  createWorkspaceAccessStore: (event: H3Event) => AccessStore
  createWorkspaceSettingsStore: (event: H3Event) => {
    get: (workspaceId: string, key: string) => Promise<string | null>
    set: (workspaceId: string, key: string, value: string) => Promise<void>
  }
  createAdminUserStore: (event: H3Event) => {
    listAdmins: () => Promise<(User & { createdAt: number })[]>
    grantAdmin: (input: { userId: string, createdByUserId?: string }) => Promise<void>
    revokeAdmin: (input: { userId: string }) => Promise<void>
    isAdmin: (input: { userId: string }) => Promise<boolean>
    searchUsers: SearchUsers
  }
  getCapabilities?: () => Record<
    | 'supportsServerSideAdmin' | 'supportsUserSearch' | 'supportsWorkspaceList' | 'supportsWorkspaceManagement'
    | 'supportsDeploymentAdminGrants', boolean
  >
}

interface HostSession {
  authenticated: boolean
  provider?: string
  providerUserId?: string
  user?: { id: string, email?: string, displayName?: string }
  workspace?: { id: string, name: string }
  role?: Role
  expiresAt?: string
  deploymentAdmin?: boolean
}

export interface HostProviderAdapter {
  id: string
  kind: 'auth' | 'sync' | 'storage'
  getStatus: (event: H3Event, context: { enabled: boolean, provider: string }) => Promise<{
    details?: Record<string, unknown>
    warnings: { level: 'warning' | 'error', message: string }[]
    actions: { id: string, label: string, description?: string, danger?: boolean }[]
  }>
  runAction?: (
    event: H3Event, actionId: string, payload: Record<string, unknown> | undefined,
    context: { provider: string, enabled: boolean, session: HostSession },
  ) => Promise<unknown>
}

export interface HostChecker { checkDeploymentAdmin: (providerUserId: string, provider: string) => Promise<boolean> }

export interface HostRateLimits {
  readonly name: string
  checkAndRecord: (key: string, config: { windowMs: number, maxRequests: number }) => Promise<{
    allowed: boolean, remaining: number, retryAfterMs?: number
  }>
  getStats: (key: string, config: { windowMs: number, maxRequests: number }) => Promise<{
    limit: number, remaining: number, resetMs: number
  } | null>
}

// Background jobs

/** Types that a host defines for itself; the provider only keeps them. */
export interface HostToolCall {
  id?: string
  name: string
  status: 'loading' | 'complete' | 'error' | 'pending' | 'skipped'
  args?: string
  result?: string
  error?: string
}
export interface HostWorkflow { nodes: string[], finished: boolean }
export interface HostUsage { promptTokens: number }
interface HostChatExecution {
  version: 1
  body: Record<string, unknown>
  workspaceId: string
  referer: string
  apiKeyCiphertext: string
  contentBase?: string
  reasoningBase?: string
  clientToolCall?: { callId: string, name: string, arguments: string, claimToken?: string, claimExpiresAt?: number }
}
export type HostExecution = HostChatExecution | { version: 1, kind: 'workflow', workspaceId: string }

interface FebJobParams {
  userId: string
  threadId: string
  messageId: string
  model: string
  kind?: 'chat' | 'workflow'
  tool_calls?: HostToolCall[]
  workflow_state?: HostWorkflow
}
interface FebJob extends FebJobParams {
  id: string
  status: 'streaming' | 'complete' | 'error' | 'aborted'
  content: string
  chunksReceived: number
  startedAt: number
  completedAt?: number
  error?: string
}
interface FebJobUpdate { contentChunk?: string, chunksReceived?: number, tool_calls?: HostToolCall[], workflow_state?: HostWorkflow }

export interface FebJobs {
  readonly name: string
  createJob: (params: FebJobParams) => Promise<string>
  getJob: (jobId: string, userId: string) => Promise<FebJob | null>
  updateJob: (jobId: string, update: FebJobUpdate) => Promise<void>
  completeJob: (jobId: string, finalContent: string) => Promise<void>
  failJob: (jobId: string, error: string) => Promise<void>
  abortJob: (jobId: string, userId: string) => Promise<boolean>
  getAbortController?: (jobId: string) => AbortController | undefined
  checkJobAborted?: (jobId: string) => Promise<boolean>
  cleanupExpired: () => Promise<number>
  getActiveJobCount?: () => Promise<number>
}

type HistoryPhase = 'admission_pending' | 'ready' | 'finalization_pending' | 'committed' | 'superseded' | 'blocked'
interface LateJob extends FebJob {
  reasoning: string
  usage?: HostUsage
  generationId?: string
  historyPhase?: HistoryPhase
  syncProviderId?: string
  lastActivityAt?: number
  execution?: HostExecution
  leaseOwner?: string
  leaseExpiresAt?: number
  attempts?: number
}
interface LateJobParams extends FebJobParams {
  idempotencyKey?: string
  generationId?: string
  syncProviderId?: string
  historyPhase?: HistoryPhase
  initialContent?: string
  initialReasoning?: string
  execution?: HostExecution
}

export interface LateJobs extends Omit<FebJobs, 'createJob' | 'getJob' | 'updateJob'> {
  createJob: (params: LateJobParams) => Promise<string>
  getJob: (jobId: string, userId: string) => Promise<LateJob | null>
  updateJob: (jobId: string, update: FebJobUpdate & { reasoningChunk?: string, usage?: HostUsage, leaseOwner?: string }) => Promise<void>
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
  cancelAdmission: (userId: string, admissionId: string) => Promise<{ aborted: boolean, jobId?: string, pending: boolean }>
}
