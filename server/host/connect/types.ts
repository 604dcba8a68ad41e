/**
 * The host's OR3 Connect contract as real types: a device asks for an authorization, a user approves it, an environment
 * is made for it. Moments are epoch milliseconds; `now` is always the caller's. A field that is not known is undefined.
 */
export type ConnectAuthorizationStatus
  = | 'pending' | 'provisioning' | 'approved' | 'delivering' | 'denied' | 'consumed' | 'expired'
export type ConnectEnvironmentStatus = 'provisioning' | 'active' | 'revoking' | 'revoked' | 'error'
export type ConnectDriver = 'intern' | 'runs'
export type ConnectRuntime = 'intern' | 'openclaw' | 'hermes'
export type ConnectBasePath = '/' | '/or3/'

/** How a device describes itself; kept whole. */
export interface StoredConnectHost {
  name: string
  platform: string
  architecture: string
  intern_version?: string | undefined
  host_id?: string | undefined
  signing_public_key?: string | undefined
  noise_public_key?: string | undefined
  runtime?: ConnectRuntime | undefined
  runtime_version?: string | undefined
  driver?: ConnectDriver | undefined
  base_path?: ConnectBasePath | undefined
}

export interface ConnectAuthorizationRecord {
  _id: string
  status: ConnectAuthorizationStatus
  host: StoredConnectHost
  approved_user_id?: string | undefined
  approved_workspace_id?: string | undefined
  environment_id?: string | undefined
  credential_ciphertext?: string | undefined
  expires_at: number
}

/** What an environment runs on. */
export interface ConnectMachine {
  name: string
  platform: string
  architecture: string
  driver?: ConnectDriver | undefined
  runtime?: ConnectRuntime | undefined
  base_path?: ConnectBasePath | undefined
  host_id?: string | undefined
  signing_public_key?: string | undefined
  noise_public_key?: string | undefined
}

export interface ConnectEnvironmentRecord extends ConnectMachine {
  id: string
  user_id: string
  workspace_id: string
  authorization_id?: string | undefined
  /** Empty where the relay has none yet, or none any more. */
  hostname: string
  tunnel_id: string
  dns_record_id: string
  relay_authenticator?: string | undefined
  control_token_hash: string
  /** Empty from `revoking` on. */
  access_credential_ciphertext: string
  tunnel_secret_ciphertext?: string | undefined
  status: ConnectEnvironmentStatus
  lifecycle_attempts: number
  lifecycle_next_attempt_at: number
  /** Of the worker that provisions or revokes it now. */
  lifecycle_claim_token?: string | undefined
  lifecycle_claimed_until?: number | undefined
  provisioning_deadline_at?: number | undefined
  activation_deadline_at?: number | undefined
  activation_claimed_at?: number | undefined
  lifecycle_error?: string | undefined
}

export interface ConnectScope { userId: string, workspaceId: string }
/** How many environments one account, or one account in one workspace, may have. */
export interface ConnectLimitPolicy { scope: 'account' | 'workspace', maxActiveEnvironments: number }

export interface CreateAuthorization {
  deviceCodeHash: string
  userCodeHash: string
  host: StoredConnectHost
  expiresAt: number
  now: number
}

interface Approval extends ConnectScope {
  authorizationId: string
  limitPolicy: ConnectLimitPolicy
  now: number
}

interface NewEnvironment extends ConnectMachine {
  id: string
  control_token_hash: string
  access_credential_ciphertext: string
}

export interface ApproveAuthorization extends Approval {
  environment: NewEnvironment & { hostname: string, tunnel_id: string, dns_record_id: string }
  credentialCiphertext: string
}

export interface ReserveAuthorization extends Approval {
  environment: NewEnvironment & { tunnel_secret_ciphertext: string }
  claimToken: string
  claimUntil: number
  provisioningDeadlineAt: number
  activationDeadlineAt: number
  authorizationExpiresAt: number
}

export interface BeginRevocation {
  environmentId: string
  scope: ConnectScope
  claimToken: string
  claimUntil: number
  now: number
}

/** A field that is left out stays; an empty one says that the thing is gone. */
export interface RelayProgress {
  hostname?: string | undefined
  tunnelId?: string | undefined
  dnsRecordId?: string | undefined
  relayAuthenticator?: string | undefined
}

export interface PurgeConnect {
  authorizationUpdatedBefore: number
  revokedEnvironmentUpdatedBefore: number
  /** Of each kind; at most 500. */
  batchSize: number
}

type Work = 'provisioning' | 'revoking'

export interface ConnectStore {
  /** Throws `conflict` while another pending authorization has this user code. */
  createAuthorization(input: CreateAuthorization): Promise<void>
  /** The device's poll: the credential comes as often as it is asked for within one window, and never after. */
  getAuthorizationByDeviceHash(
    deviceCodeHash: string, now: number, redeliveryWindowMs: number,
  ): Promise<ConnectAuthorizationRecord | null>
  getAuthorizationByUserHash(userCodeHash: string, now: number): Promise<ConnectAuthorizationRecord | null>
  /**
   * In one step, for a host that has made the tunnel already. Throws `authorization_unavailable`,
   * `environment_limit_reached`.
   */
  approveAuthorization(input: ApproveAuthorization): Promise<{ environment_id: string }>
  /** Makes an environment that is yet to be provisioned, under the caller's claim. Throws as `approveAuthorization`. */
  reserveAuthorization(input: ReserveAuthorization): Promise<ConnectEnvironmentRecord>
  claimNextEnvironmentLifecycle(
    claimToken: string, now: number, claimUntil: number,
  ): Promise<ConnectEnvironmentRecord | null>
  saveEnvironmentRelayProgress(
    id: string, expectedStatus: Work, claimToken: string, progress: RelayProgress, now: number,
  ): Promise<boolean>
  /** Throws `authorization_unavailable` for an unknown id, `conflict` where its authorization has gone on. */
  completeEnvironmentProvisioning(
    id: string, claimToken: string, credentialCiphertext: string, now: number,
  ): Promise<boolean>
  beginEnvironmentRevocation(input: BeginRevocation): Promise<{
    claimed: boolean, environment: ConnectEnvironmentRecord,
  } | null>
  /** Throws `authorization_unavailable` for an unknown id. */
  abandonEnvironmentProvisioning(id: string, claimToken: string, now: number): Promise<ConnectEnvironmentRecord | null>
  completeEnvironmentRevocation(id: string, claimToken: string, now: number): Promise<boolean>
  recordEnvironmentLifecycleFailure(
    id: string, expectedStatus: Work, claimToken: string, error: string, nextAttemptAt: number, now: number,
  ): Promise<boolean>
  denyAuthorization(id: string, now: number): Promise<boolean>
  getEnvironmentByControlTokenHash(hash: string, scope: ConnectScope): Promise<ConnectEnvironmentRecord | null>
  /** The active ones, the last changed first. */
  listEnvironments(scope: ConnectScope): Promise<ConnectEnvironmentRecord[]>
  /** At once, without a relay to clean up. */
  revokeEnvironment(id: string, scope: ConnectScope, now: number): Promise<boolean>
  /** Removes what has been over for long; answers how many. */
  purgeConnectRecords(input: PurgeConnect): Promise<{ authorizations: number, environments: number }>
  rotateAuthorizationCredential(id: string, expected: string, replacement: string, now: number): Promise<boolean>
  rotateEnvironmentCredential(
    id: string, credential: 'access' | 'tunnel', expected: string, replacement: string, now: number,
  ): Promise<boolean>
}

export interface ConnectStoreRegistration { id: string, order?: number, create: () => ConnectStore }

export type ConnectStoreErrorCode = 'authorization_unavailable' | 'environment_limit_reached' | 'conflict'

/** The host tells it by name and code, since its own class cannot be imported here. */
export class ConnectStoreError extends Error {
  override name = 'ConnectStoreError'
  readonly code: ConnectStoreErrorCode

  constructor(code: ConnectStoreErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
