/**
 * OR3 Connect of a host: device authorizations and the environments they enrol. Only hashes and ciphertexts are kept,
 * no code and no credential in the clear. Moments are epoch milliseconds, as the host's contract has them.
 */
import { sql } from 'drizzle-orm'
import { check, index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { wellFormedText } from './well-formed-text.ts'

export const connectAuthorizations = sqliteTable('connect_authorizations', {
  id: wellFormedText('id').primaryKey(),
  deviceCodeHash: wellFormedText('device_code_hash').notNull(),
  userCodeHash: wellFormedText('user_code_hash').notNull(),
  status: text('status', {
    enum: ['pending', 'provisioning', 'approved', 'delivering', 'denied', 'consumed', 'expired'],
  }).notNull(),
  /** JSON: the device as the host describes it. */
  host: text('host', { mode: 'json' }).notNull(),
  approvedUserId: wellFormedText('approved_user_id'),
  approvedWorkspaceId: wellFormedText('approved_workspace_id'),
  environmentId: wellFormedText('environment_id'),
  /** Only while it is approved or delivering. */
  credentialCiphertext: wellFormedText('credential_ciphertext'),
  deliveryStartedAtMs: integer('delivery_started_at_ms'),
  redeliverUntilMs: integer('redeliver_until_ms'),
  expiresAtMs: integer('expires_at_ms').notNull(),
  createdAtMs: integer('created_at_ms').notNull(),
  updatedAtMs: integer('updated_at_ms').notNull(),
}, table => [
  uniqueIndex('connect_authorizations_device_code').on(table.deviceCodeHash),
  index('connect_authorizations_user_code').on(table.userCodeHash, table.createdAtMs),
  index('connect_authorizations_environment').on(table.environmentId),
  // Purges.
  index('connect_authorizations_over').on(table.updatedAtMs, table.id)
    .where(sql`status in ('denied', 'consumed', 'expired')`),
  check(
    'connect_authorizations_status',
    sql`${table.status} in ('pending', 'provisioning', 'approved', 'delivering', 'denied', 'consumed', 'expired')`,
  ),
  check(
    'connect_authorizations_ciphertext',
    sql`${table.credentialCiphertext} is null or ${table.status} in ('approved', 'delivering')`,
  ),
])

export const connectEnvironments = sqliteTable('connect_environments', {
  id: wellFormedText('id').primaryKey(),
  userId: wellFormedText('user_id').notNull(),
  workspaceId: wellFormedText('workspace_id').notNull(),
  name: wellFormedText('name').notNull(),
  platform: wellFormedText('platform').notNull(),
  architecture: wellFormedText('architecture').notNull(),
  driver: wellFormedText('driver'),
  runtime: wellFormedText('runtime'),
  basePath: wellFormedText('base_path'),
  hostId: wellFormedText('host_id'),
  signingPublicKey: wellFormedText('signing_public_key'),
  noisePublicKey: wellFormedText('noise_public_key'),
  authorizationId: wellFormedText('authorization_id'),
  /** Empty before it is made and after it is deleted, as the two ids that follow. */
  hostname: wellFormedText('hostname').notNull(),
  tunnelId: wellFormedText('tunnel_id').notNull(),
  dnsRecordId: wellFormedText('dns_record_id').notNull(),
  relayAuthenticator: wellFormedText('relay_authenticator'),
  controlTokenHash: wellFormedText('control_token_hash').notNull(),
  /** Empty from `revoking` on. */
  accessCredentialCiphertext: wellFormedText('access_credential_ciphertext').notNull(),
  tunnelSecretCiphertext: wellFormedText('tunnel_secret_ciphertext'),
  status: text('status', { enum: ['provisioning', 'active', 'revoking', 'revoked', 'error'] }).notNull(),
  attempts: integer('attempts').notNull(),
  nextAttemptAtMs: integer('next_attempt_at_ms').notNull(),
  claimToken: wellFormedText('claim_token'),
  claimedUntilMs: integer('claimed_until_ms'),
  provisioningDeadlineMs: integer('provisioning_deadline_ms'),
  activationDeadlineMs: integer('activation_deadline_ms'),
  activationClaimedAtMs: integer('activation_claimed_at_ms'),
  lifecycleError: wellFormedText('lifecycle_error'),
  lastSeenAtMs: integer('last_seen_at_ms'),
  createdAtMs: integer('created_at_ms').notNull(),
  updatedAtMs: integer('updated_at_ms').notNull(),
  revokedAtMs: integer('revoked_at_ms'),
}, table => [
  uniqueIndex('connect_environments_control_token').on(table.controlTokenHash),
  index('connect_environments_scope').on(table.userId, table.workspaceId, table.status, table.updatedAtMs),
  // Work that is due, and environments that nobody has claimed in time.
  index('connect_environments_work').on(table.nextAttemptAtMs, table.createdAtMs, table.id)
    .where(sql`status in ('provisioning', 'revoking')`),
  index('connect_environments_activation').on(table.activationDeadlineMs, table.id)
    .where(sql`status = 'active' and activation_claimed_at_ms is null`),
  // Purges.
  index('connect_environments_revoked').on(table.updatedAtMs, table.id).where(sql`status = 'revoked'`),
  check(
    'connect_environments_status', sql`${table.status} in ('provisioning', 'active', 'revoking', 'revoked', 'error')`,
  ),
])
