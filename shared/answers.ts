/** The answers of the routes about sessions, workspaces, members and invites. Every moment is epoch seconds. */

export type WorkspaceRole = 'owner' | 'editor' | 'viewer'
export type InviteStatus = 'pending' | 'accepted' | 'revoked' | 'expired'

export interface OkAnswer { ok: true }

/** `GET /api/auth/session` */
export interface SessionAnswer {
  session: {
    authenticated: true
    provider: string
    providerUserId: string
    user: { id: string, email?: string | undefined, displayName?: string | undefined }
    /** The active workspace: what a new device opens first. */
    workspace: { id: string, name: string }
    role: WorkspaceRole
    /** ISO 8601. */
    expiresAt?: string | undefined
  } | null
  /** What the active workspace has used, in bytes and rows of its log, of what it may. */
  usage?: { bytes: number, rows: number, maxBytes: number, maxRows: number } | undefined
}

/** `GET /api/workspaces` */
export interface WorkspacesAnswer {
  workspaces: {
    id: string, name: string, description: string | null, role: WorkspaceRole, createdAt: number, isActive: boolean
  }[]
}

/** `POST /api/workspaces` */
export interface CreatedWorkspace { id: string }

/** `GET /api/workspaces/:id/members` */
export interface MembersAnswer {
  members: {
    userId: string
    email?: string | undefined
    displayName?: string | undefined
    role: WorkspaceRole
    joinedAt: number
  }[]
}

/** `GET /api/workspaces/:id/invites` */
export interface InvitesAnswer {
  invites: {
    id: string
    workspaceId: string
    email: string
    role: WorkspaceRole
    status: InviteStatus
    invitedByUserId: string
    expiresAt: number
    acceptedAt: number | null
    acceptedUserId: string | null
    revokedAt: number | null
    createdAt: number
    updatedAt: number
  }[]
}

/** `POST /api/workspaces/:id/invites`: the only place where the token stands. */
export interface CreatedInvite { id: string, token: string, expiresAt: number }

/** `GET /api/workspaces/:id/invite-links` */
export interface InviteLinksAnswer {
  links: {
    id: string
    role: WorkspaceRole
    maxUses: number
    uses: number
    expiresAt: number
    createdByUserId: string
    createdAt: number
  }[]
}

/** `POST /api/workspaces/:id/invite-links`: the only place where the token stands. */
export interface CreatedInviteLink { id: string, token: string, maxUses: number, expiresAt: number }

/** `POST /api/invites/accept` */
export interface AcceptedInvite { workspaceId: string, role: WorkspaceRole }
