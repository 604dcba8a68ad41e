/**
 * The shapes of the later hosts' webhook and Connect stores, written out from their contract. Functions are properties
 * here, so that their parameters are compared strictly.
 */
type Maybe<T> = T | undefined

interface Webhook {
  id: string
  scope: 'user' | 'admin'
  user_id: string | null
  workspace_id: string | null
  url: string
  label: string
  events: string[]
  custom_hooks: string[]
  signing_secret_enc: string
  enabled: boolean
  health: 'healthy' | 'failing' | 'unknown'
  created_at: number
  updated_at: number
}

interface Delivery {
  id: string
  webhook_id: string
  event_id: string
  event_type: string
  attempt: number
  status: 'pending' | 'in_flight' | 'success' | 'failed' | 'cancelled'
  claimed_by: string | null
  claimed_at: number | null
  http_status: number | null
  error_message: string | null
  request_payload: string
  response_body: string | null
  duration_ms: number | null
  next_retry_at: number | null
  created_at: number
}

type Patch<T> = { [K in keyof T]?: Maybe<T[K]> }
type WebhookPatch = Patch<Pick<Webhook, 'url' | 'label' | 'events' | 'custom_hooks' | 'enabled' | 'workspace_id'>>
type DeliveryPatch = Patch<Pick<
  Delivery,
  'status' | 'http_status' | 'error_message' | 'response_body' | 'duration_ms' | 'next_retry_at' | 'attempt'
>>

export interface HostWebhookStore {
  createWebhook: (webhook: Omit<Webhook, 'id' | 'health' | 'created_at' | 'updated_at'>) => Promise<Webhook>
  updateWebhook: (webhookId: string, patch: WebhookPatch) => Promise<Webhook>
  deleteWebhook: (webhookId: string) => Promise<void>
  getWebhook: (webhookId: string) => Promise<Webhook | null>
  listWebhooks: (userId: string, workspaceId: string) => Promise<Webhook[]>
  listAdminWebhooks: () => Promise<Webhook[]>
  listWebhooksByEvent: (eventType: string, scope: 'user' | 'admin', workspaceId?: string) => Promise<Webhook[]>
  listWebhooksByCustomHook: (hookName: string) => Promise<Webhook[]>
  listActiveCustomHookNames: () => Promise<string[]>
  updateWebhookHealth: (webhookId: string, health: Webhook['health']) => Promise<void>
  disableAllWebhooks: (userId: string, workspaceId: string) => Promise<number>
  createDeliveryLog: (delivery: Omit<Delivery, 'id'>) => Promise<Delivery>
  updateDeliveryLog: (deliveryId: string, patch: DeliveryPatch) => Promise<void>
  getDeliveryLogs: (webhookId: string, since: number) => Promise<Delivery[]>
  getRecentTerminalDeliveries: (webhookId: string, limit: number) => Promise<Delivery[]>
  claimPendingDeliveries: (workerId: string, limit: number) => Promise<Delivery[]>
  resetStaleInFlightDeliveries: (olderThanMs: number) => Promise<number>
  cancelDeliveriesByWebhook: (webhookId: string) => Promise<number>
  deleteDeliveryLogsByWebhook: (webhookId: string) => Promise<number>
  purgeExpiredLogs: (before: number) => Promise<number>
}

interface Bound {
  driver?: Maybe<'intern' | 'runs'>
  runtime?: Maybe<'intern' | 'openclaw' | 'hermes'>
  base_path?: Maybe<'/' | '/or3/'>
  host_id?: Maybe<string>
  signing_public_key?: Maybe<string>
  noise_public_key?: Maybe<string>
}

interface Machine extends Bound { name: string, platform: string, architecture: string }
interface Host extends Machine { intern_version?: Maybe<string>, runtime_version?: Maybe<string> }

interface Authorization {
  _id: string
  status: 'pending' | 'provisioning' | 'approved' | 'delivering' | 'denied' | 'consumed' | 'expired'
  host: Host
  approved_user_id?: Maybe<string>
  approved_workspace_id?: Maybe<string>
  environment_id?: Maybe<string>
  credential_ciphertext?: Maybe<string>
  expires_at: number
}

interface Environment extends Machine {
  id: string
  user_id: string
  workspace_id: string
  authorization_id?: Maybe<string>
  hostname: string
  tunnel_id: string
  dns_record_id: string
  relay_authenticator?: Maybe<string>
  control_token_hash: string
  access_credential_ciphertext: string
  tunnel_secret_ciphertext?: Maybe<string>
  status: 'provisioning' | 'active' | 'revoking' | 'revoked' | 'error'
  lifecycle_attempts: number
  lifecycle_next_attempt_at: number
  lifecycle_claim_token?: Maybe<string>
  lifecycle_claimed_until?: Maybe<number>
  provisioning_deadline_at?: Maybe<number>
  activation_deadline_at?: Maybe<number>
  activation_claimed_at?: Maybe<number>
  lifecycle_error?: Maybe<string>
}

interface Scope { userId: string, workspaceId: string }
interface NewEnvironment extends Machine { id: string, control_token_hash: string, access_credential_ciphertext: string }
interface Approval extends Scope {
  authorizationId: string
  limitPolicy: { scope: 'account' | 'workspace', maxActiveEnvironments: number }
  now: number
}
interface Relay {
  hostname?: Maybe<string>
  tunnelId?: Maybe<string>
  dnsRecordId?: Maybe<string>
  relayAuthenticator?: Maybe<string>
}
type Work = 'provisioning' | 'revoking'

export interface HostConnectStore {
  createAuthorization: (input: {
    deviceCodeHash: string, userCodeHash: string, host: Host, expiresAt: number, now: number
  }) => Promise<void>
  getAuthorizationByDeviceHash: (hash: string, now: number, redeliveryWindowMs: number) => Promise<Authorization | null>
  getAuthorizationByUserHash: (hash: string, now: number) => Promise<Authorization | null>
  approveAuthorization: (input: Approval & {
    environment: NewEnvironment & { hostname: string, tunnel_id: string, dns_record_id: string }, credentialCiphertext: string
  }) => Promise<{ environment_id: string }>
  reserveAuthorization: (input: Approval & {
    environment: NewEnvironment & { tunnel_secret_ciphertext: string }
    claimToken: string
    claimUntil: number
    provisioningDeadlineAt: number
    activationDeadlineAt: number
    authorizationExpiresAt: number
  }) => Promise<Environment>
  claimNextEnvironmentLifecycle: (claimToken: string, now: number, claimUntil: number) => Promise<Environment | null>
  saveEnvironmentRelayProgress: (id: string, status: Work, token: string, progress: Relay, now: number) => Promise<boolean>
  completeEnvironmentProvisioning: (id: string, token: string, ciphertext: string, now: number) => Promise<boolean>
  beginEnvironmentRevocation: (input: {
    environmentId: string, scope: Scope, claimToken: string, claimUntil: number, now: number
  }) => Promise<{ claimed: boolean, environment: Environment } | null>
  abandonEnvironmentProvisioning: (id: string, token: string, now: number) => Promise<Environment | null>
  completeEnvironmentRevocation: (id: string, token: string, now: number) => Promise<boolean>
  recordEnvironmentLifecycleFailure: (
    id: string, status: Work, token: string, error: string, nextAttemptAt: number, now: number,
  ) => Promise<boolean>
  denyAuthorization: (id: string, now: number) => Promise<boolean>
  getEnvironmentByControlTokenHash: (hash: string, scope: Scope) => Promise<Environment | null>
  listEnvironments: (scope: Scope) => Promise<Environment[]>
  revokeEnvironment: (id: string, scope: Scope, now: number) => Promise<boolean>
  purgeConnectRecords: (input: {
    authorizationUpdatedBefore: number, revokedEnvironmentUpdatedBefore: number, batchSize: number
  }) => Promise<{ authorizations: number, environments: number }>
  rotateAuthorizationCredential: (id: string, expected: string, replacement: string, now: number) => Promise<boolean>
  rotateEnvironmentCredential: (
    id: string, credential: 'access' | 'tunnel', expected: string, replacement: string, now: number,
  ) => Promise<boolean>
}
