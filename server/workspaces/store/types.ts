/**
 * The host's `AuthWorkspaceStore` contract as real types: who a signed-in account is, which workspaces are theirs,
 * and the invites that bring others in. What only later hosts know is optional; what no host knows (members) too.
 * Every moment is epoch seconds. Refusals are h3 errors made by `errors.ts`, never plain ones.
 */
import type { InviteStatus, WorkspaceRole } from '../../../shared/answers.ts'

export type { InviteStatus, WorkspaceRole }

export interface AccountRef {
  provider: string
  providerUserId: string
}

export interface AccountInput extends AccountRef {
  email?: string | undefined
  displayName?: string | undefined
}

export interface StoreUser {
  userId: string
  email?: string | undefined
  displayName?: string | undefined
}

export interface DefaultWorkspace {
  workspaceId: string
  workspaceName: string
  /** True only where this call made the workspace. */
  created?: boolean | undefined
}

export interface WorkspaceRef {
  userId: string
  workspaceId: string
}

export interface WorkspaceListItem {
  id: string
  name: string
  description?: string | null | undefined
  role: WorkspaceRole
  createdAt?: number | undefined
  isActive?: boolean | undefined
}

export interface WorkspaceInvite {
  id: string
  workspaceId: string
  email: string
  role: WorkspaceRole
  status: InviteStatus
  invitedByUserId: string
  expiresAt: number
  tokenHash: string
  acceptedAt: number | null
  acceptedUserId: string | null
  revokedAt: number | null
  createdAt: number
  updatedAt: number
}

export type InviteRefusal = 'not_found' | 'email_mismatch' | 'already_used' | 'revoked' | 'expired'
export interface NewInvite extends InviteRef {
  role: WorkspaceRole
  invitedByUserId: string
  expiresAt: number
}

export interface InviteRef { workspaceId: string, email: string, tokenHash: string }

export interface NewInviteLink {
  workspaceId: string
  createdByUserId: string
  role: WorkspaceRole
  maxUses: number
  /** Epoch seconds. */
  expiresAt: number
  tokenHash: string
}

/** An invite link that can still be used. */
export interface WorkspaceInviteLink {
  id: string
  role: WorkspaceRole
  maxUses: number
  uses: number
  expiresAt: number
  createdByUserId: string
  createdAt: number
}

export type LinkRefusal = 'not_found' | 'revoked' | 'expired' | 'used_up'
export type AcceptedLink = { ok: true, userId: string, role: WorkspaceRole } | { ok: false, reason: LinkRefusal }

export interface WorkspaceMember {
  userId: string
  email?: string | undefined
  displayName?: string | undefined
  role: WorkspaceRole
  /** When the membership began. */
  joinedAt: number
}

export interface WorkspaceMembership { role: WorkspaceRole, workspaceName: string }

/** A user with their active workspace and their role in it. */
export interface KnownSession { userId: string, workspaceId: string, workspaceName: string, role: WorkspaceRole }

export interface AuthWorkspaceStore {
  getUser?(input: AccountRef): Promise<StoreUser | null>
  /** The session of a known user in one query, or null where it takes `getOrCreateUser` and the rest. */
  findKnownSession?(input: AccountInput): Promise<KnownSession | null>
  /** One user under any number of simultaneous first calls; a given, different email or name is taken over. */
  getOrCreateUser(input: AccountInput): Promise<{ userId: string }>
  /** The active workspace; else the oldest membership, made active; else a new one. */
  getOrCreateDefaultWorkspace(userId: string): Promise<DefaultWorkspace>
  /** Null for a stranger, and for everybody once the workspace is deleted. */
  getWorkspaceRole(input: WorkspaceRef): Promise<WorkspaceRole | null>
  listUserWorkspaces(userId: string): Promise<WorkspaceListItem[]>
  /** The creator becomes owner; the active workspace stays what it was. */
  createWorkspace(
    input: { userId: string, name: string, description?: string | null | undefined },
  ): Promise<{ workspaceId: string }>
  /** Owners and editors. A description of null clears it, undefined leaves it. */
  updateWorkspace(input: WorkspaceRef & { name: string, description?: string | null | undefined }): Promise<void>
  /** Owners. Everyone whose active workspace it was goes to their oldest other one, or to none. */
  removeWorkspace(input: WorkspaceRef): Promise<void>
  setActiveWorkspace(input: WorkspaceRef): Promise<void>

  createInvite?(input: NewInvite): Promise<{ inviteId: string }>
  listInvites?(input: {
    workspaceId: string
    status?: InviteStatus | undefined
    limit?: number | undefined
  }): Promise<WorkspaceInvite[]>
  revokeInvite?(input: { workspaceId: string, inviteId: string, revokedByUserId: string }): Promise<void>
  validateInvite?(input: InviteRef): Promise<{ ok: true, role: WorkspaceRole } | { ok: false, reason: InviteRefusal }>
  /** User, account, membership and the invite's end in one transaction. */
  acceptInviteAndProvisionUser?(input: AccountInput & InviteRef): Promise<
    | { ok: true, userId: string, role: WorkspaceRole, createdUser: boolean }
    | { ok: false, reason: InviteRefusal }
  >
  /** The older form, for a user that exists already. */
  consumeInvite?(input: InviteRef & { acceptedUserId: string }): Promise<
    | { ok: true, role: WorkspaceRole }
    | { ok: false, reason: InviteRefusal | 'token_mismatch' }
  >

  createInviteLink?(input: NewInviteLink): Promise<{ linkId: string }>
  listInviteLinks?(input: { workspaceId: string }): Promise<WorkspaceInviteLink[]>
  revokeInviteLink?(input: { workspaceId: string, linkId: string, revokedByUserId: string }): Promise<void>
  acceptInviteLink?(input: AccountInput & { workspaceId: string, tokenHash: string }): Promise<AcceptedLink>
  /** Role and name of one workspace, in one query. Null where `getWorkspaceRole` is null. */
  getMembership?(input: WorkspaceRef): Promise<WorkspaceMembership | null>
  /** Any member may read the list. */
  listMembers?(input: WorkspaceRef): Promise<WorkspaceMember[]>
  /** Owners; the last one keeps the role. */
  setMemberRole?(input: WorkspaceRef & { memberUserId: string, role: WorkspaceRole }): Promise<void>
  /** Owners remove others, everybody may remove themselves (leave); the last owner stays. */
  removeMember?(input: WorkspaceRef & { memberUserId: string }): Promise<void>
}

export interface AuthWorkspaceStoreRegistration {
  id: string
  /** Lower comes first where no id is asked for. */
  order?: number | undefined
  create: () => AuthWorkspaceStore
}
