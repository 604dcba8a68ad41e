/**
 * The app decides who is signed in: it registers a provider that reads a request. This file keeps the registrations,
 * picks one, and checks what it says before anything is stored by it.
 * A provider that throws or answers nonsense is an outage (503), never a sign-out.
 */
import { consola } from 'consola'
import type { H3Event } from 'h3'
import { createSyncError } from '../errors.ts'
import { mayLog } from '../lib/log-budget.ts'
import { isId } from '../lib/storable-text.ts'

export interface AuthSession {
  /**
   * `id` is the provider's own, 1 to 256 characters, and never given to another person later.
   * An `email` must be one the provider has verified: invites are accepted by it.
   */
  user: { id: string, email?: string | null | undefined, displayName?: string | null | undefined }
  expiresAt?: Date
}

export interface AuthProvider {
  /** The request's session, or null where nobody is signed in. Throw only on an outage. */
  getSession(event: H3Event): Promise<AuthSession | null> | AuthSession | null
}

export interface AuthProviderRegistration {
  /** Part of every account's key: renaming it makes everybody a new user. */
  id: string
  /** Lower comes first where the app's settings name none. */
  order?: number | undefined
  /** Runs once, at the first request. */
  create: () => AuthProvider
}

interface Registered { registration: AuthProviderRegistration, provider?: AuthProvider }

const registered = new Map<string, Registered>()
const log = consola.withTag('or3-sync')
let selectedId: string | undefined
let hasWarned = false

/** A second registration of one id replaces the first. Throws where the id cannot be stored. */
export function registerAuthProvider(registration: AuthProviderRegistration): void {
  if (!isId(registration.id)) throw new TypeError('An auth provider\'s id is 1 to 256 characters of well-formed text.')
  registered.set(registration.id, { registration })
}

/** Names the provider to use; without one the lowest order is. */
export function selectAuthProvider(id: string | undefined): void {
  selectedId = id || undefined
}

/** The id of the provider in use, or null (with one warning in all) where there is none. */
export function activeAuthProviderId(): string | null {
  return findActive()?.registration.id ?? null
}

/** What the provider says of the request; null for nobody and for a session that is over. Throws AUTH_UNAVAILABLE. */
export async function readAuthSession(event: H3Event): Promise<AuthSession | null> {
  const active = findActive()
  if (!active) return null
  try {
    active.provider ??= active.registration.create()
    const session = checkSession(await active.provider.getSession(event))
    return session?.expiresAt && session.expiresAt.getTime() <= Date.now() ? null : session
  }
  catch (cause) {
    if (mayLog()) log.error(`The auth provider "${active.registration.id}" failed:`, cause)
    throw createSyncError('AUTH_UNAVAILABLE', 'The sign-in service does not answer; try again.', { cause })
  }
}

function findActive(): Registered | undefined {
  const active = selectedId === undefined
    ? [...registered.values()].sort((a, b) => (a.registration.order ?? 0) - (b.registration.order ?? 0))[0]
    : registered.get(selectedId)
  if (!active && !hasWarned) {
    hasWarned = true
    log.warn(selectedId === undefined
      ? 'No auth provider is registered: every route that needs a user answers 401. '
      + 'Call registerAuthProvider() from a server plugin.'
      : `No auth provider "${selectedId}" is registered: every route that needs a user answers 401. `
        + `Register it, or change the setting.`)
  }
  return active
}

function checkSession(session: AuthSession | null | undefined): AuthSession | null {
  if (session === null || session === undefined) return null
  const { user, expiresAt } = session
  if (!isId(user?.id)) throw new TypeError('getSession() answered a user.id that is not text of 1 to 256 characters.')
  for (const key of ['email', 'displayName'] as const) {
    const value: unknown = user[key]
    if (value !== undefined && value !== null && typeof value !== 'string') {
      throw new TypeError(`getSession() answered a user.${key} that is not text.`)
    }
  }
  if (expiresAt !== undefined && !(expiresAt instanceof Date && Number.isFinite(expiresAt.getTime()))) {
    throw new TypeError('getSession() answered an expiresAt that is not a valid Date.')
  }
  return session
}
