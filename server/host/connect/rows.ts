/** Connect records as rows and back: what a row does not know is undefined in a record. Pure. */
import type { connectAuthorizations, connectEnvironments } from '../../database/schema/index.ts'
import type {
  ApproveAuthorization, ConnectAuthorizationRecord, ConnectEnvironmentRecord, ConnectMachine, ReserveAuthorization,
  StoredConnectHost,
} from './types.ts'

export type AuthorizationRow = typeof connectAuthorizations.$inferSelect
export type EnvironmentRow = typeof connectEnvironments.$inferSelect

/** The authorization a row holds. */
export function toAuthorization(row: AuthorizationRow): ConnectAuthorizationRecord {
  return {
    _id: row.id,
    status: row.status,
    host: row.host as StoredConnectHost,
    approved_user_id: row.approvedUserId ?? undefined,
    approved_workspace_id: row.approvedWorkspaceId ?? undefined,
    environment_id: row.environmentId ?? undefined,
    credential_ciphertext: row.credentialCiphertext ?? undefined,
    expires_at: row.expiresAtMs,
  }
}

/** The environment a row holds. */
export function toEnvironment(row: EnvironmentRow): ConnectEnvironmentRecord {
  return {
    id: row.id,
    user_id: row.userId,
    workspace_id: row.workspaceId,
    name: row.name,
    platform: row.platform,
    architecture: row.architecture,
    driver: (row.driver ?? undefined) as ConnectMachine['driver'],
    runtime: (row.runtime ?? undefined) as ConnectMachine['runtime'],
    base_path: (row.basePath ?? undefined) as ConnectMachine['base_path'],
    host_id: row.hostId ?? undefined,
    signing_public_key: row.signingPublicKey ?? undefined,
    noise_public_key: row.noisePublicKey ?? undefined,
    authorization_id: row.authorizationId ?? undefined,
    hostname: row.hostname,
    tunnel_id: row.tunnelId,
    dns_record_id: row.dnsRecordId,
    relay_authenticator: row.relayAuthenticator ?? undefined,
    control_token_hash: row.controlTokenHash,
    access_credential_ciphertext: row.accessCredentialCiphertext,
    tunnel_secret_ciphertext: row.tunnelSecretCiphertext ?? undefined,
    status: row.status,
    lifecycle_attempts: row.attempts,
    lifecycle_next_attempt_at: row.nextAttemptAtMs,
    lifecycle_claim_token: row.claimToken ?? undefined,
    lifecycle_claimed_until: row.claimedUntilMs ?? undefined,
    provisioning_deadline_at: row.provisioningDeadlineMs ?? undefined,
    activation_deadline_at: row.activationDeadlineMs ?? undefined,
    activation_claimed_at: row.activationClaimedAtMs ?? undefined,
    lifecycle_error: row.lifecycleError ?? undefined,
  }
}

/** The environment of a one-step approval: active, and nothing left to do. */
export function toActiveRow({ environment, userId, workspaceId, now }: ApproveAuthorization): EnvironmentRow {
  return {
    ...emptyRow(environment),
    userId, workspaceId, status: 'active',
    hostname: environment.hostname, tunnelId: environment.tunnel_id, dnsRecordId: environment.dns_record_id,
    createdAtMs: now, updatedAtMs: now,
  }
}

/** The environment of a reservation: its relay is yet to be made, by the one who holds the claim. */
export function toReservedRow(input: ReserveAuthorization): EnvironmentRow {
  const { environment, userId, workspaceId, now } = input
  return {
    ...emptyRow(environment),
    userId, workspaceId, status: 'provisioning',
    authorizationId: input.authorizationId,
    tunnelSecretCiphertext: environment.tunnel_secret_ciphertext,
    nextAttemptAtMs: now, claimToken: input.claimToken, claimedUntilMs: input.claimUntil,
    provisioningDeadlineMs: input.provisioningDeadlineAt, activationDeadlineMs: input.activationDeadlineAt,
    createdAtMs: now, updatedAtMs: now,
  }
}

/** Takes the fields it knows by name: what an older caller sends besides is never stored. */
function emptyRow(environment: ApproveAuthorization['environment'] | ReserveAuthorization['environment']) {
  return {
    id: environment.id,
    name: environment.name,
    platform: environment.platform,
    architecture: environment.architecture,
    driver: environment.driver ?? null,
    runtime: environment.runtime ?? null,
    basePath: environment.base_path ?? null,
    hostId: environment.host_id ?? null,
    signingPublicKey: environment.signing_public_key ?? null,
    noisePublicKey: environment.noise_public_key ?? null,
    controlTokenHash: environment.control_token_hash,
    accessCredentialCiphertext: environment.access_credential_ciphertext,
    authorizationId: null,
    hostname: '', tunnelId: '', dnsRecordId: '',
    relayAuthenticator: null, tunnelSecretCiphertext: null,
    attempts: 0, nextAttemptAtMs: 0, claimToken: null, claimedUntilMs: null,
    provisioningDeadlineMs: null, activationDeadlineMs: null, activationClaimedAtMs: null,
    lifecycleError: null, lastSeenAtMs: null, revokedAtMs: null,
  }
}
