/**
 * One row of the old database's webhooks and Connect tables as a row of ours; undefined where it cannot be used.
 * Invariants that the old tables do not enforce hold afterwards: a ciphertext is only where its status allows one.
 * Pure.
 */
import { parseJson } from '../../shared/parse-json.ts'
import type {
  connectAuthorizations, connectEnvironments, webhookDeliveries, webhooks,
} from '../../server/database/schema/index.ts'

export type OldRow = Record<string, unknown>

const healths = ['healthy', 'failing', 'unknown'] as const
const deliveryStatuses = ['pending', 'in_flight', 'success', 'failed', 'cancelled'] as const
const authorizationStatuses = [
  'pending', 'provisioning', 'approved', 'delivering', 'denied', 'consumed', 'expired',
] as const
const environmentStatuses = ['provisioning', 'active', 'revoking', 'revoked', 'error'] as const

/** A webhook; lists that cannot be read are empty. */
export function toWebhookRow(old: OldRow): typeof webhooks.$inferInsert | undefined {
  const scope = oneOf(['user', 'admin'] as const, old['scope'])
  const id = text(old['id'])
  const url = text(old['url'])
  const signingSecret = text(old['signing_secret_enc'])
  if (scope === undefined || id === null || url === null || signingSecret === null) return undefined
  return {
    id, scope, url, signingSecret,
    userId: text(old['user_id']), workspaceId: text(old['workspace_id']), label: text(old['label']) ?? '',
    events: readTexts(old['events']), customHooks: readTexts(old['custom_hooks']), enabled: old['enabled'] === 1,
    health: oneOf(healths, old['health']) ?? 'unknown', createdAtMs: moment(old['created_at']),
    updatedAtMs: moment(old['updated_at']),
  }
}

/** A delivery; one in flight stays so until the host resets what is stale. */
export function toDeliveryRow(old: OldRow): typeof webhookDeliveries.$inferInsert | undefined {
  const status = oneOf(deliveryStatuses, old['status'])
  const [
    id, webhookId, eventId, eventType, requestPayload,
  ] = ['id', 'webhook_id', 'event_id', 'event_type', 'request_payload']
    .map(name => text(old[name])) as [string | null, string | null, string | null, string | null, string | null]
  if (
    !status || id === null || webhookId === null || eventId === null || eventType === null || requestPayload === null
  ) {
    return undefined
  }
  const isClaimed = status === 'in_flight'
  return {
    id, webhookId, eventId, eventType, status, requestPayload,
    attempt: number(old['attempt']) ?? 1,
    claimedBy: isClaimed ? text(old['claimed_by']) : null,
    // Without a moment it would never be stale.
    claimedAtMs: isClaimed ? moment(old['claimed_at']) : null,
    httpStatus: number(old['http_status']), errorMessage: text(old['error_message']),
    durationMs: number(old['duration_ms']),
    nextRetryAtMs: number(old['next_retry_at']), createdAtMs: moment(old['created_at']),
    responseBody: text(old['response_body']),
  }
}

/**
 * An authorization; those of the schema that kept readable codes are left behind, as the old provider itself dropped
 * them.
 */
export function toAuthorizationRow(old: OldRow): typeof connectAuthorizations.$inferInsert | undefined {
  const status = oneOf(authorizationStatuses, old['status'])
  const [id, deviceCodeHash, userCodeHash] = ['id', 'device_code_hash', 'user_code_hash']
    .map(name => text(old[name])) as [string | null, string | null, string | null]
  const host = readJson(old['host_json'])
  if ('user_code_display' in old || !status || id === null || deviceCodeHash === null || userCodeHash === null) {
    return undefined
  }
  if (typeof host !== 'object' || host === null || Array.isArray(host)) return undefined
  const hasCredential = status === 'approved' || status === 'delivering'
  return {
    id, deviceCodeHash, userCodeHash, status, host,
    approvedUserId: text(old['approved_user_id']), approvedWorkspaceId: text(old['approved_workspace_id']),
    environmentId: text(old['environment_id']),
    credentialCiphertext: hasCredential ? text(old['credential_ciphertext']) : null,
    deliveryStartedAtMs: number(old['credential_delivery_started_at']),
    redeliverUntilMs: number(old['credential_redeliver_until']),
    expiresAtMs: moment(old['expires_at']), createdAtMs: moment(old['created_at']),
    updatedAtMs: moment(old['updated_at']),
  }
}

/** An environment; columns that an older schema lacks are as in a new one. */
export function toEnvironmentRow(old: OldRow): typeof connectEnvironments.$inferInsert | undefined {
  const status = oneOf(environmentStatuses, old['status'])
  const [id, userId, workspaceId, controlTokenHash] = ['id', 'user_id', 'workspace_id', 'control_token_hash']
    .map(name => text(old[name])) as [string | null, string | null, string | null, string | null]
  if (!status || id === null || userId === null || workspaceId === null || controlTokenHash === null) return undefined
  const isEnding = status === 'revoking' || status === 'revoked'
  return {
    id, userId, workspaceId, controlTokenHash, status,
    name: text(old['name']) ?? '', platform: text(old['platform']) ?? '', architecture: text(old['architecture']) ?? '',
    driver: text(old['driver']), runtime: text(old['runtime']), basePath: text(old['base_path']),
    hostId: text(old['host_id']),
    signingPublicKey: text(old['signing_public_key']), noisePublicKey: text(old['noise_public_key']),
    authorizationId: text(old['authorization_id']), hostname: text(old['hostname']) ?? '',
    tunnelId: text(old['tunnel_id']) ?? '',
    dnsRecordId: text(old['dns_record_id']) ?? '', relayAuthenticator: text(old['relay_authenticator']),
    accessCredentialCiphertext: isEnding ? '' : text(old['access_credential_ciphertext']) ?? '',
    tunnelSecretCiphertext: isEnding ? null : text(old['tunnel_secret_ciphertext']),
    attempts: number(old['lifecycle_attempts']) ?? 0, nextAttemptAtMs: number(old['lifecycle_next_attempt_at']) ?? 0,
    claimToken: text(old['lifecycle_claim_token']), claimedUntilMs: number(old['lifecycle_claimed_until']),
    provisioningDeadlineMs: number(old['provisioning_deadline_at']),
    activationDeadlineMs: number(old['activation_deadline_at']),
    activationClaimedAtMs: number(old['activation_claimed_at']), lifecycleError: text(old['lifecycle_error']),
    lastSeenAtMs: number(old['last_seen_at']), createdAtMs: moment(old['created_at']),
    updatedAtMs: moment(old['updated_at']),
    revokedAtMs: number(old['revoked_at']),
  }
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}

function moment(value: unknown): number {
  return number(value) ?? 0
}

function oneOf<T extends string>(values: readonly T[], value: unknown): T | undefined {
  return values.find(one => one === value)
}

function readTexts(value: unknown): string[] {
  const list = readJson(value)
  return Array.isArray(list) ? list.filter(item => typeof item === 'string') : []
}

function readJson(value: unknown): unknown {
  try {
    return parseJson(text(value) ?? 'null')
  }
  catch {
    return null
  }
}
