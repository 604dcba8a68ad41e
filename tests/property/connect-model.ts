/**
 * OR3 Connect in memory, written from the host's contract: records in two maps, rules as plain conditions. It shares no
 * code with the store. The store makes the ids of authorizations, so here the nth is `a<n>`.
 */
import type {
  ApproveAuthorization, ConnectEnvironmentRecord, ConnectScope, ReserveAuthorization,
} from '../../server/host/connect/types.ts'

interface ModelAuthorization {
  name: string
  device: string
  user: string
  status: string
  expires: number
  made: number
  changed: number
  environment?: string
  ciphertext?: string | undefined
  window?: number
}

type ModelEnvironment = ConnectEnvironmentRecord & { made: number, changed: number }
type Approval = ApproveAuthorization | ReserveAuthorization

/** What is seen of an authorization. */
export interface Seen {
  name: string
  status: string
  ciphertext: string | undefined
  environment: string | undefined
  expires: number
}

/** The code that a right store refuses with. */
export class Refusal extends Error {}

export type ConnectModel = ReturnType<typeof createConnectModel>

const over = ['denied', 'consumed', 'expired']
export const released = { lifecycle_claim_token: undefined, lifecycle_claimed_until: undefined }
const secretless = { access_credential_ciphertext: '', tunnel_secret_ciphertext: undefined }

/** Its methods answer what a right store answers, and throw a `Refusal` where that refuses. */
export function createConnectModel() {
  const authorizations = new Map<string, ModelAuthorization>()
  const environments = new Map<string, ModelEnvironment>()
  let created = 0
  const allAuthorizations = () => [...authorizations.values()]
  const named = (name: string | undefined) => allAuthorizations().find(one => one.name === name)
  const allEnvironments = () => [...environments.values()]

  function end(one: ModelAuthorization, status: string, now: number) {
    Object.assign(one, { status, ciphertext: undefined, changed: now })
  }

  function see({ name, status, ciphertext, environment, expires }: ModelAuthorization): Seen {
    return { name, status, ciphertext, environment, expires }
  }

  function expireOf(environment: string, now: number) {
    const theirs = allAuthorizations().filter(one => one.environment === environment && !over.includes(one.status))
    for (const one of theirs) end(one, 'expired', now)
  }

  function bury(one: ModelEnvironment, now: number) {
    const names = { hostname: '', tunnel_id: '', dns_record_id: '', relay_authenticator: undefined }
    Object.assign(one, names, secretless, released, { status: 'revoked', lifecycle_error: undefined, changed: now })
  }

  function startRevoking(one: ModelEnvironment, token: string, until: number, now: number, error?: string) {
    expireOf(one.id, now)
    const claim = { lifecycle_claim_token: token, lifecycle_claimed_until: until, lifecycle_next_attempt_at: now }
    return Object.assign(one, secretless, claim, { status: 'revoking', lifecycle_error: error, changed: now })
  }

  function admit(device: string, input: Approval, counted: string[]) {
    const one = authorizations.get(device)
    if (one?.status !== 'pending' || one.expires <= input.now) throw new Refusal('authorization_unavailable')
    const { scope, maxActiveEnvironments } = input.limitPolicy
    const used = allEnvironments().filter(each => counted.includes(each.status) && each.user_id === input.userId)
      .filter(each => scope === 'account' || each.workspace_id === input.workspaceId)
    if (used.length >= maxActiveEnvironments) throw new Refusal('environment_limit_reached')
    if (environments.has(input.environment.id)) throw new Refusal('conflict')
    return one
  }

  function add({ environment, userId, workspaceId, now }: Approval, more: Partial<ModelEnvironment>) {
    const { name, platform, architecture, id, control_token_hash, access_credential_ciphertext } = environment
    const about = { name, platform, architecture, id, control_token_hash, access_credential_ciphertext }
    const owner = { user_id: userId, workspace_id: workspaceId }
    environments
      .set(id, { ...about, ...owner, lifecycle_attempts: 0, made: now, changed: now, ...more } as ModelEnvironment)
  }

  /** The environment if it has this status under this claim. */
  function held(id: string, status: string, token: string) {
    const one = environments.get(id)
    return one?.status === status && one.lifecycle_claim_token === token ? one : undefined
  }

  return {
    authorizations, environments, held,

    create(device: string, user: string, expires: number, now: number) {
      const taken = allAuthorizations().some(one => one.user === user && one.status === 'pending' && one.expires > now)
      if (taken || authorizations.has(device)) throw new Refusal('conflict')
      authorizations
        .set(device, { name: `a${created++}`, device, user, status: 'pending', expires, made: now, changed: now })
    },

    poll(device: string, now: number, window: number): Seen | null {
      const one = authorizations.get(device)
      if (!one) return null
      if (['pending', 'approved'].includes(one.status) && one.expires <= now) {
        end(one, 'expired', now)
      }
      else if (one.status === 'approved') {
        Object.assign(one, { status: 'delivering', window: now + Math.min(window, 300_000), changed: now })
        const environment = environments.get(one.environment!)
        if (environment?.status === 'active' && environment.activation_claimed_at === undefined) {
          Object.assign(environment, { activation_claimed_at: now, activation_deadline_at: undefined, changed: now })
        }
        return { ...see(one), status: 'approved' }
      }
      else if (one.status === 'delivering') {
        if (one.window! >= now) return { ...see(one), status: 'approved' }
        end(one, 'consumed', now)
      }
      return see(one)
    },

    byUser(user: string, now: number): Seen | null {
      const one = allAuthorizations().filter(each => each.user === user).sort((a, b) => a.made - b.made).at(-1)
      const isNone = !one || one.expires <= now || one.status === 'denied' || one.status === 'expired'
      return isNone ? null : see(one)
    },

    approve(device: string, input: ApproveAuthorization) {
      const one = admit(device, input, ['active'])
      const { hostname, tunnel_id, dns_record_id, id } = input.environment
      add(input, { status: 'active', lifecycle_next_attempt_at: 0, hostname, tunnel_id, dns_record_id })
      Object.assign(one, {
        status: 'approved', environment: id, ciphertext: input.credentialCiphertext, changed: input.now,
      })
    },

    reserve(device: string, input: ReserveAuthorization) {
      const one = admit(device, input, ['provisioning', 'active', 'revoking'])
      const { id, tunnel_secret_ciphertext } = input.environment
      add(input, {
        status: 'provisioning', hostname: '', tunnel_id: '', dns_record_id: '', authorization_id: one.name,
        tunnel_secret_ciphertext, lifecycle_claim_token: input.claimToken, lifecycle_claimed_until: input.claimUntil,
        lifecycle_next_attempt_at: input.now, provisioning_deadline_at: input.provisioningDeadlineAt,
        activation_deadline_at: input.activationDeadlineAt,
      })
      const expires = Math.max(one.expires, input.authorizationExpiresAt)
      Object.assign(one, { status: 'provisioning', environment: id, expires, changed: input.now })
    },

    deny(device: string, now: number) {
      const one = authorizations.get(device)
      if (one?.status !== 'pending' || one.expires <= now) return false
      end(one, 'denied', now)
      return true
    },

    claim(token: string, now: number, until: number) {
      const [idle] = allEnvironments()
        .filter(one => one.status === 'active' && one.activation_claimed_at === undefined)
        .filter(one => (one.activation_deadline_at ?? Infinity) <= now)
        .sort((a, b) => a.activation_deadline_at! - b.activation_deadline_at! || byId(a, b))
      if (idle) return startRevoking(idle, token, until, now, 'Activation deadline expired.')
      const [due] = allEnvironments()
        .filter(one => ['provisioning', 'revoking'].includes(one.status) && one.lifecycle_next_attempt_at <= now)
        .filter(one => (one.lifecycle_claimed_until ?? 0) <= now)
        .sort((a, b) => a.lifecycle_next_attempt_at - b.lifecycle_next_attempt_at || a.made - b.made || byId(a, b))
      return due
        ? Object.assign(due, {
            lifecycle_claim_token: token, lifecycle_claimed_until: until, changed: now,
          })
        : null
    },

    complete(id: string, token: string, ciphertext: string, now: number) {
      if (!environments.has(id)) throw new Refusal('authorization_unavailable')
      const one = held(id, 'provisioning', token)
      if (!one?.authorization_id || !one.hostname || !one.tunnel_id || !one.dns_record_id) return false
      const authorization = named(one.authorization_id)
      if (authorization?.status !== 'provisioning') throw new Refusal('conflict')
      Object.assign(authorization, { status: 'approved', ciphertext, changed: now })
      const active = { status: 'active', tunnel_secret_ciphertext: undefined, lifecycle_next_attempt_at: 0 }
      Object.assign(one, active, released, { lifecycle_error: undefined, changed: now })
      return true
    },

    begin(id: string, scope: ConnectScope, token: string, until: number, now: number) {
      const one = environments.get(id)
      if (!one || !isIn(one, scope) || !['active', 'revoking', 'revoked'].includes(one.status)) return null
      const isFree = one.status === 'active' || (one.status === 'revoking' && (one.lifecycle_claimed_until ?? 0) <= now)
      if (isFree) startRevoking(one, token, until, now)
      return { claimed: isFree, environment: one }
    },

    abandon(id: string, token: string, now: number) {
      if (!environments.has(id)) throw new Refusal('authorization_unavailable')
      const one = held(id, 'provisioning', token)
      if (!one) return null
      const authorization = named(one.authorization_id)
      if (authorization?.status === 'provisioning') end(authorization, 'expired', now)
      const why = { lifecycle_next_attempt_at: now, lifecycle_error: 'Provisioning deadline expired.' }
      return Object.assign(one, secretless, why, { status: 'revoking', changed: now })
    },

    finish(id: string, token: string, now: number) {
      const one = held(id, 'revoking', token)
      if (!one) return false
      bury(one, now)
      const authorization = named(one.authorization_id)
      if (
        authorization && !over.includes(authorization.status) && authorization.status !== 'pending'
      ) end(authorization, 'expired', now)
      return true
    },

    revoke(id: string, scope: ConnectScope, now: number) {
      const one = environments.get(id)
      if (!one || !isIn(one, scope) || one.status === 'revoked') return false
      bury(one, now)
      expireOf(id, now)
      return true
    },

    rotate(device: string, from: string, to: string, now: number) {
      const one = authorizations.get(device)
      if (one?.ciphertext !== from) return false
      Object.assign(one, { ciphertext: to, changed: now })
      return true
    },

    rotateEnvironment(id: string, which: 'access' | 'tunnel', from: string, to: string, now: number) {
      const one = environments.get(id)
      const field = which === 'access' ? 'access_credential_ciphertext' : 'tunnel_secret_ciphertext'
      if (one?.[field] !== from || ['revoking', 'revoked'].includes(one.status)) return false
      Object.assign(one, { [field]: to, changed: now })
      return true
    },

    /** All that has been over since; a right store is asked for as many. */
    purge(before: number) {
      const ended = allAuthorizations().filter(one => over.includes(one.status) && one.changed <= before)
      const gone = allEnvironments().filter(one => one.status === 'revoked' && one.changed <= before)
      for (const one of ended) authorizations.delete(one.device)
      for (const one of gone) environments.delete(one.id)
      return { authorizations: ended.length, environments: gone.length }
    },

    list(scope: ConnectScope) {
      return allEnvironments().filter(one => one.status === 'active' && isIn(one, scope))
        .sort((a, b) => b.changed - a.changed || byId(a, b))
    },
  }
}

function byId(a: { id: string }, b: { id: string }): number {
  return a.id < b.id ? -1 : 1
}

function isIn({ user_id, workspace_id }: ConnectEnvironmentRecord, { userId, workspaceId }: ConnectScope): boolean {
  return user_id === userId && workspace_id === workspaceId
}
