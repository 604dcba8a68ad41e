/**
 * Every HTTP route of the layer: its body by the shape that the server checks, its answer, who may, and its codes.
 * `make-http-reference.ts` makes the page and the OpenAPI document from it; a test holds it to the routes.
 */
import { z, type ZodType } from 'zod'
import type { ErrorCode } from '../shared/error-codes.ts'
import { cleanUpRequest, pullRequest, pushBatch, snapshotRequest, updateCursorRequest } from '../shared/shapes.ts'
import {
  acceptBody, activeWorkspaceBody, inviteBody, inviteLinkBody, memberBody, workspaceBody,
} from '../server/workspaces/shapes.ts'

export interface RouteDescription {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'HEAD'
  /** With `:name` for a parameter. */
  path: string
  summary: string
  /** Who may: the lowest role in the workspace that the request names, or less. */
  who: 'anybody' | 'signed in' | 'viewer' | 'editor' | 'owner'
  /** The name of its rate limit in `or3Sqlite.limits.rateLimits`. */
  limit?: string
  query?: z.ZodObject
  body?: ZodType
  answer: ZodType
  /** Beside those of every route: UNAUTHENTICATED, CROSS_SITE, RATE_LIMITED, INVALID_REQUEST and the 503s. */
  codes: readonly ErrorCode[]
}

const epochSeconds = z.int().meta({ description: 'epoch seconds' })
const role = z.enum(['owner', 'editor', 'viewer'])
/** An op, as `server/sync/push/validate.ts` judges each by itself. */
const op = z.object({
  tableName: z.string(), operation: z.enum(['put', 'delete']), pk: z.string().min(1).max(1024),
  payload: z.unknown().optional(),
  stamp: z.object({
    deviceId: z.string().min(1).max(256), opId: z.string().meta({ description: 'a UUID' }), hlc: z.string().max(512),
    clock: z.int().min(0).max(2 ** 32 - 1),
  }),
})
const ok = z.strictObject({ ok: z.literal(true) })
const stamp = z.strictObject({ deviceId: z.string(), opId: z.string(), hlc: z.string(), clock: z.int() })
const revision = z.strictObject({ clock: z.int(), hlc: z.string(), opId: z.string() })
const operation = z.enum(['put', 'delete'])
const payload = z.unknown().optional()

const winner = z.union([
  z.strictObject({ kind: z.literal('put'), payload: z.unknown(), revision }),
  z.strictObject({ kind: z.literal('delete'), revision, serverDeletedAt: epochSeconds.optional() }),
])

export const pushResult = z.strictObject({
  results: z.array(z.strictObject({
    opId: z.string(), success: z.boolean(), serverVersion: z.int().optional(), error: z.string().optional(),
    errorCode: z.enum(['VALIDATION_ERROR', 'OVERSIZED', 'UNAUTHORIZED', 'CONFLICT', 'RATE_LIMITED']).optional(),
    retryable: z.boolean().optional(), tableName: z.string().optional(), operation: operation.optional(), payload,
    wasExisting: z.boolean().optional(), applied: z.boolean().optional(), replayed: z.boolean().optional(),
    winner: winner.optional(),
  })),
  serverVersion: z.int(),
})

export const pullResponse = z.strictObject({
  changes: z.array(z.strictObject({
    serverVersion: z.int(), tableName: z.string(), pk: z.string(), op: operation, payload, stamp,
  })),
  nextCursor: z.int(), hasMore: z.boolean(), oldestRetainedVersion: z.int(), requiresSnapshot: z.boolean(),
})

export const snapshotResponse = z.strictObject({
  workspaceId: z.string(), snapshotId: z.string(), highWatermark: z.int(),
  items: z.array(z.union([
    z.strictObject({ kind: z.literal('row'), tableName: z.string(), pk: z.string(), payload: z.unknown(), revision }),
    z.strictObject({
      kind: z.literal('tombstone'), tableName: z.string(), pk: z.string(), revision, serverDeletedAt: epochSeconds,
    }),
  ])),
  nextPageToken: z.string().nullable(),
})

export const cleanUpResult = z.strictObject({
  droppedChanges: z.int(), droppedTombstones: z.int(), cleanedVersion: z.int(), head: z.int(), done: z.boolean(),
})

export const sessionAnswer = z.strictObject({
  session: z.strictObject({
    authenticated: z.literal(true), provider: z.string(), providerUserId: z.string(),
    user: z.strictObject({ id: z.string(), email: z.string().optional(), displayName: z.string().optional() }),
    workspace: z.strictObject({ id: z.string(), name: z.string() }),
    role, expiresAt: z.string().meta({ description: 'ISO 8601' }).optional(),
  }).nullable(),
  usage: z.strictObject({ bytes: z.int(), rows: z.int(), maxBytes: z.int(), maxRows: z.int() }).optional(),
})

export const workspacesAnswer = z.strictObject({
  workspaces: z.array(z.strictObject({
    id: z.string(), name: z.string(), description: z.string().nullable(), role, createdAt: epochSeconds,
    isActive: z.boolean(),
  })),
})

export const membersAnswer = z.strictObject({
  members: z.array(z.strictObject({
    userId: z.string(), email: z.string().optional(), displayName: z.string().optional(), role, joinedAt: epochSeconds,
  })),
})

export const invitesAnswer = z.strictObject({
  invites: z.array(z.strictObject({
    id: z.string(), workspaceId: z.string(), email: z.string(), role,
    status: z.enum(['pending', 'accepted', 'revoked', 'expired']), invitedByUserId: z.string(), expiresAt: epochSeconds,
    acceptedAt: epochSeconds.nullable(), acceptedUserId: z.string().nullable(), revokedAt: epochSeconds.nullable(),
    createdAt: epochSeconds, updatedAt: epochSeconds,
  })),
})

export const inviteLinksAnswer = z.strictObject({
  links: z.array(z.strictObject({
    id: z.string(), role, maxUses: z.int(), uses: z.int(), expiresAt: epochSeconds, createdByUserId: z.string(),
    createdAt: epochSeconds,
  })),
})

const inWorkspace = ['NOT_A_MEMBER'] as const
const named = ['NOT_FOUND'] as const
const sync = '/api/sync'
const workspace = '/api/workspaces/:id'

export const routes: readonly RouteDescription[] = [
  {
    method: 'POST', path: `${sync}/push`, who: 'editor', limit: 'push', body: pushBatch.extend({ ops: z.array(op) }),
    summary: 'Applies a batch of ops; one receipt per op, in their order.',
    answer: pushResult, codes: [...inWorkspace, 'READ_ONLY', 'BODY_TOO_LARGE', 'UNSUPPORTED_ENCODING'],
  },
  {
    method: 'POST', path: `${sync}/pull`, who: 'viewer', limit: 'pull', body: pullRequest,
    summary: 'The changes after a cursor, in version order.',
    answer: pullResponse, codes: inWorkspace,
  },
  {
    method: 'POST', path: `${sync}/snapshot`, who: 'viewer', limit: 'snapshot', body: snapshotRequest,
    summary: 'A page of all rows and tombstones as of one version.',
    answer: snapshotResponse, codes: [...inWorkspace, 'FORBIDDEN', 'SNAPSHOT_EXPIRED'],
  },
  {
    method: 'GET', path: `${sync}/live`, who: 'viewer', limit: 'live',
    summary: 'Server-sent events that tell the head of a workspace; what has changed comes by a pull.',
    query: z.object({ workspaceId: z.string(), client: z.string().max(64).optional() }),
    answer: z.string().meta({ description: 'text/event-stream: `hello`, `head` and `end`, see SPEC.md, "Live"' }),
    codes: inWorkspace,
  },
  {
    method: 'POST', path: `${sync}/update-cursor`, who: 'viewer', limit: 'update-cursor', body: updateCursorRequest,
    summary: 'A device reports how far it has pulled.',
    answer: ok, codes: [...inWorkspace, 'FORBIDDEN', 'CURSOR_REGRESSED'],
  },
  {
    method: 'POST', path: `${sync}/gc-change-log`, who: 'owner', limit: 'gc', body: cleanUpRequest,
    summary: 'Drops superseded changes.',
    answer: cleanUpResult, codes: [...inWorkspace, 'FORBIDDEN'],
  },
  {
    method: 'POST', path: `${sync}/gc-tombstones`, who: 'owner', limit: 'gc', body: cleanUpRequest,
    summary: 'Drops superseded changes and old tombstones.',
    answer: cleanUpResult, codes: [...inWorkspace, 'FORBIDDEN'],
  },
  {
    method: 'GET', path: '/api/auth/session', who: 'anybody', limit: 'session',
    summary: 'Who is signed in, with the active workspace; null for nobody.',
    answer: sessionAnswer, codes: [],
  },
  {
    method: 'GET', path: '/api/workspaces', who: 'signed in',
    summary: 'The user\'s workspaces, newest first.',
    answer: workspacesAnswer, codes: [],
  },
  {
    method: 'POST', path: '/api/workspaces', who: 'signed in', limit: 'workspaces', body: workspaceBody,
    summary: 'Makes a workspace that the user owns. The active one stays.',
    answer: z.strictObject({ id: z.string() }), codes: ['CONFLICT'],
  },
  {
    method: 'POST', path: '/api/workspaces/active', who: 'viewer', limit: 'workspaces', body: activeWorkspaceBody,
    summary: 'Makes another workspace the active one: what a new device opens first.',
    answer: ok, codes: named,
  },
  {
    method: 'PATCH', path: workspace, who: 'editor', limit: 'workspaces', body: workspaceBody,
    summary: 'Renames a workspace. A description of null clears it; without one it stays.',
    answer: ok, codes: [...named, 'FORBIDDEN'],
  },
  {
    method: 'DELETE', path: workspace, who: 'owner', limit: 'workspaces',
    summary: 'Deletes a workspace for all its members.',
    answer: ok, codes: [...named, 'FORBIDDEN'],
  },
  {
    method: 'GET', path: `${workspace}/members`, who: 'viewer',
    summary: 'The members, oldest first.',
    answer: membersAnswer, codes: named,
  },
  {
    method: 'PATCH', path: `${workspace}/members/:userId`, who: 'owner', limit: 'workspaces', body: memberBody,
    summary: 'Changes a member\'s role.',
    answer: ok, codes: [...named, 'FORBIDDEN', 'LAST_OWNER'],
  },
  {
    method: 'DELETE', path: `${workspace}/members/:userId`, who: 'owner', limit: 'workspaces',
    summary: 'Removes a member; with one\'s own id: leaves, which every member may.',
    answer: ok, codes: [...named, 'FORBIDDEN', 'LAST_OWNER'],
  },
  {
    method: 'GET', path: `${workspace}/invites`, who: 'editor',
    summary: 'The invites by e-mail, pending ones first.',
    answer: invitesAnswer, codes: [...named, 'FORBIDDEN'],
  },
  {
    method: 'POST', path: `${workspace}/invites`, who: 'editor', limit: 'workspaces', body: inviteBody,
    summary: 'Invites an address. The token is in this answer only; your app sends it.',
    answer: z.strictObject({ id: z.string(), token: z.string(), expiresAt: epochSeconds }),
    codes: [...named, 'FORBIDDEN', 'CONFLICT'],
  },
  {
    method: 'DELETE', path: `${workspace}/invites/:inviteId`, who: 'editor', limit: 'workspaces',
    summary: 'Withdraws an invite.',
    answer: ok, codes: [...named, 'FORBIDDEN', 'CONFLICT'],
  },
  {
    method: 'GET', path: `${workspace}/invite-links`, who: 'editor',
    summary: 'The invite links that can still be used.',
    answer: inviteLinksAnswer, codes: [...named, 'FORBIDDEN'],
  },
  {
    method: 'POST', path: `${workspace}/invite-links`, who: 'editor', limit: 'workspaces', body: inviteLinkBody,
    summary: 'Makes a link that lets in whoever has it. The token is in this answer only.',
    answer: z.strictObject({ id: z.string(), token: z.string(), maxUses: z.int(), expiresAt: epochSeconds }),
    codes: [...named, 'FORBIDDEN', 'CONFLICT'],
  },
  {
    method: 'DELETE', path: `${workspace}/invite-links/:linkId`, who: 'editor', limit: 'workspaces',
    summary: 'Ends a link.',
    answer: ok, codes: [...named, 'FORBIDDEN'],
  },
  {
    method: 'POST', path: '/api/invites/accept', who: 'signed in', body: acceptBody,
    summary: 'Joins by the token of an invite or a link, and makes that workspace the active one.',
    answer: z.strictObject({ workspaceId: z.string(), role }), codes: [...named, 'CONFLICT'],
  },
  {
    method: 'GET', path: '/api/health', who: 'anybody',
    summary: 'Whether the server can serve, for a load balancer; 503 where not.',
    answer: z.looseObject({ status: z.string() }), codes: [],
  },
  {
    method: 'HEAD', path: '/api/health', who: 'anybody',
    summary: 'The same, the status alone.',
    answer: z.undefined(), codes: [],
  },
  {
    method: 'GET', path: '/api/metrics', who: 'anybody',
    summary: 'Prometheus text, where enabled.',
    answer: z.string(), codes: named,
  },
]
