/** What the Connect tests share: inputs that are right unless told otherwise. */
import type {
  ApproveAuthorization, ConnectAuthorizationRecord, ConnectEnvironmentRecord, ConnectLimitPolicy, ConnectScope,
  ConnectStore,
  ReserveAuthorization, StoredConnectHost,
} from '../../server/host/connect/types.ts'

/** Epoch milliseconds. */
export const now = 1_800_000_000_000
export const minute = 60_000
export const ada: ConnectScope = { userId: 'ada', workspaceId: 'w1' }

export const host: StoredConnectHost = {
  name: 'Ada’s laptop 🌲', platform: 'linux', architecture: 'arm64', intern_version: '0.1.0', runtime: 'hermes',
}

const limitPolicy: ConnectLimitPolicy = { scope: 'account', maxActiveEnvironments: 3 }

const machine = {
  name: 'Laptop', platform: 'linux', architecture: 'arm64', driver: 'runs', runtime: 'hermes', base_path: '/or3/',
} as const

/** A pending authorization whose hashes carry `name`. */
export async function ask(
  store: ConnectStore,
  name: string,
  at = now,
  lasts = 10 * minute,
): Promise<ConnectAuthorizationRecord> {
  await store.createAuthorization({
    deviceCodeHash: `device ${name}`, userCodeHash: `user ${name}`, host, expiresAt: at + lasts, now: at,
  })
  return (await store.getAuthorizationByUserHash(`user ${name}`, at))!
}

export function approvalOf(
  authorizationId: string,
  id: string,
  more: Partial<ApproveAuthorization> = {},
): ApproveAuthorization {
  return {
    ...ada, authorizationId, limitPolicy, now, credentialCiphertext: `credential ${id}`,
    environment: {
      ...machine, id, hostname: `${id}.example.test`, tunnel_id: `tunnel ${id}`, dns_record_id: `dns ${id}`,
      control_token_hash: `control ${id}`, access_credential_ciphertext: `access ${id}`,
    },
    ...more,
  }
}

export function reservationOf(
  authorizationId: string,
  id: string,
  more: Partial<ReserveAuthorization> = {},
): ReserveAuthorization {
  return {
    ...ada, authorizationId, limitPolicy, now, claimToken: 'first worker', claimUntil: now + 2 * minute,
    provisioningDeadlineAt: now + 15 * minute, activationDeadlineAt: now + 30 * minute,
    authorizationExpiresAt: now + 40 * minute,
    environment: {
      ...machine, id, control_token_hash: `control ${id}`, access_credential_ciphertext: `access ${id}`,
      tunnel_secret_ciphertext: `tunnel secret ${id}`,
    },
    ...more,
  }
}

export const relay = (id: string) => ({
  hostname: `${id}.example.test`, tunnelId: `tunnel ${id}`, dnsRecordId: `dns ${id}`, relayAuthenticator: 'cookie',
})

/** A reserved environment with its authorization. */
export async function reserve(
  store: ConnectStore,
  id: string,
  more: Partial<ReserveAuthorization> = {},
): Promise<ConnectEnvironmentRecord> {
  const { _id } = await ask(store, id)
  return store.reserveAuthorization(reservationOf(_id, id, more))
}

/** An active environment by way of a reservation. */
export async function provision(
  store: ConnectStore,
  id: string,
  more: Partial<ReserveAuthorization> = {},
): Promise<void> {
  await reserve(store, id, more)
  await store.saveEnvironmentRelayProgress(id, 'provisioning', 'first worker', relay(id), now)
  await store.completeEnvironmentProvisioning(id, 'first worker', `credential ${id}`, now)
}

/** An active environment by the one-step form. */
export async function approve(
  store: ConnectStore,
  id: string,
  more: Partial<ApproveAuthorization> = {},
): Promise<void> {
  const { _id } = await ask(store, id)
  await store.approveAuthorization(approvalOf(_id, id, more))
}
