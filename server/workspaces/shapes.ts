/** What the routes about users and workspaces accept: the shapes of their bodies and path parameters. */
import { getRouterParam, type H3Event } from 'h3'
import { z } from 'zod'
import { createSyncError } from '../errors.ts'
import { maxTokenLength } from './invite-token.ts'
import { workspaceRoles } from '../auth/roles.ts'
import { maxIdLength } from '../../shared/limits.ts'
import { isId, isStorable } from '../lib/storable-text.ts'
import { maxDescriptionLength, maxEmailLength, maxNameLength } from './text.ts'

/** Long enough for its mail to be read; short enough that no forgotten invite lets somebody in years later. */
const inviteSeconds = { min: 300, max: 30 * 86_400, default: 7 * 86_400 }

/** Piped, so that `min` and `max` see texts only: zod throws for an object whose `length` is no number. */
const text = (min: number, max: number) => z.string().pipe(
  z.string().refine(isStorable, 'must be well-formed text without NUL').trim().min(min).max(max),
)
const role = z.enum(workspaceRoles)

export const workspaceBody = z.object({
  name: text(1, maxNameLength),
  description: text(0, maxDescriptionLength).nullish(),
})

export const activeWorkspaceBody = z.object({ id: text(1, maxIdLength) })

export const memberBody = z.object({ role })

export const inviteBody = z.object({
  email: text(0, maxEmailLength).pipe(z.string().regex(/^[^\s@]+@[^\s@]+$/, 'must be an email address')),
  role,
  expiresInSeconds: z.int().min(inviteSeconds.min).max(inviteSeconds.max).default(inviteSeconds.default),
})

/** A link is passed on: it lasts as long as an invite, lets in few by default, and makes nobody an owner. */
const linkUses = { max: 1_000, default: 10 }

export const inviteLinkBody = z.object({
  role: z.enum(['editor', 'viewer']),
  maxUses: z.int().min(1).max(linkUses.max).default(linkUses.default),
  expiresInSeconds: z.int().min(inviteSeconds.min).max(inviteSeconds.max).default(inviteSeconds.default),
})

export const acceptBody = z.object({ token: text(1, maxTokenLength) })

/** An id in the path. One that cannot exist is answered like one that does not: NOT_FOUND. */
export function readIdParam(event: H3Event, name: string, thing: 'workspace' | 'member' | 'invite' | 'link'): string {
  const value = getRouterParam(event, name, { decode: true })
  if (!isId(value)) throw createSyncError('NOT_FOUND', `No such ${thing}.`)
  return value
}
