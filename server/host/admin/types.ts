/**
 * The host's contracts for its admin pages as real types: the stores behind them, the status card of a provider, and
 * who administers the deployment. Moments are epoch seconds, but `deletedAt` is in milliseconds. Refusals are h3 errors
 * made by `errors.ts`.
 */
import type { H3Event } from 'h3'
import type { SessionContext } from '../../auth/session-context.ts'
import type { WorkspaceRole } from '../../workspaces/store/types.ts'

export interface WorkspaceMemberInfo { userId: string, email?: string | undefined, role: WorkspaceRole }
export interface FoundUser { userId: string, email?: string | undefined, displayName?: string | undefined }
export interface UserSearch { query: string, limit?: number | undefined }

export interface WorkspaceSummary {
  id: string
  name: string
  description?: string | undefined
  createdAt: number
  deleted: boolean
  /** Epoch milliseconds, as the host sends it. */
  deletedAt?: number | undefined
  /** The owner whose membership is the oldest. */
  ownerUserId?: string | undefined
  ownerEmail?: string | undefined
  memberCount: number
}

export interface WorkspaceSearch {
  search?: string | undefined
  includeDeleted?: boolean | undefined
  /** From 1. */
  page: number
  perPage: number
}

export interface WorkspaceAccessStore {
  listMembers(input: { workspaceId: string }): Promise<WorkspaceMemberInfo[]>
  /** By email, by the auth provider's user id, or by ours; an unknown user is made. */
  upsertMember(
    input: { workspaceId: string, emailOrProviderId: string, role: WorkspaceRole, provider?: string | undefined },
  ): Promise<void>
  setMemberRole(input: { workspaceId: string, userId: string, role: WorkspaceRole }): Promise<void>
  removeMember(input: { workspaceId: string, userId: string }): Promise<void>
  listWorkspaces(input: WorkspaceSearch): Promise<{ items: WorkspaceSummary[], total: number }>
  getWorkspace(input: { workspaceId: string }): Promise<WorkspaceSummary | null>
  createWorkspace(input: {
    name: string
    description?: string | undefined
    ownerUserId: string
  }): Promise<{ workspaceId: string }>
  softDeleteWorkspace(input: { workspaceId: string, deletedAt: number }): Promise<void>
  restoreWorkspace(input: { workspaceId: string }): Promise<void>
  searchUsers(input: UserSearch): Promise<FoundUser[]>
}

export interface WorkspaceSettingsStore {
  get(workspaceId: string, key: string): Promise<string | null>
  set(workspaceId: string, key: string, value: string): Promise<void>
}

export interface AdminUser extends FoundUser { createdAt: number }

export interface AdminUserStore {
  listAdmins(): Promise<AdminUser[]>
  grantAdmin(input: { userId: string, createdByUserId?: string | undefined }): Promise<void>
  revokeAdmin(input: { userId: string }): Promise<void>
  isAdmin(input: { userId: string }): Promise<boolean>
  searchUsers(input: UserSearch): Promise<FoundUser[]>
}

export interface AdminStoreCapabilities {
  supportsServerSideAdmin: boolean
  supportsUserSearch: boolean
  supportsWorkspaceList: boolean
  supportsWorkspaceManagement: boolean
  supportsDeploymentAdminGrants: boolean
}

export interface AdminStoreProvider {
  id: string
  createWorkspaceAccessStore(event: H3Event): WorkspaceAccessStore
  createWorkspaceSettingsStore(event: H3Event): WorkspaceSettingsStore
  createAdminUserStore(event: H3Event): AdminUserStore
  getCapabilities(): AdminStoreCapabilities
}

/** An error turns the provider's health to unavailable. */
export interface AdminWarning { level: 'warning' | 'error', message: string }

export interface AdminAction {
  id: string
  label: string
  description?: string | undefined
  danger?: boolean | undefined
}

export interface ProviderAdminStatus {
  details?: Record<string, unknown> | undefined
  warnings: AdminWarning[]
  actions: AdminAction[]
}

export interface ProviderAdminAdapter {
  id: string
  kind: 'auth' | 'sync' | 'storage'
  getStatus(event: H3Event, context: { enabled: boolean, provider: string }): Promise<ProviderAdminStatus>
  runAction?(
    event: H3Event,
    actionId: string,
    payload: Record<string, unknown> | undefined,
    context: { enabled: boolean, provider: string, session: SessionContext },
  ): Promise<unknown>
}

export interface DeploymentAdminChecker {
  checkDeploymentAdmin(providerUserId: string, provider: string): Promise<boolean>
}
