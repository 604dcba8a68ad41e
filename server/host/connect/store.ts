/** The `ConnectStore` named `sqlite`: each method waits for the database and is one read or one transaction. */
import type { SyncDatabase, WriteTransaction } from '../../database/types.ts'
import * as authorizations from './authorizations.ts'
import * as environments from './environments.ts'
import * as lifecycle from './lifecycle.ts'
import { purge } from './purge.ts'
import type { ConnectStore } from './types.ts'

/** Opens nothing by itself: `database` is asked by each call. Refusals are a `ConnectStoreError` or an h3 error. */
export function createConnectStore(database: () => Promise<SyncDatabase>): ConnectStore {
  const write = async <T>(job: (tx: WriteTransaction) => Promise<T>) => (await database()).write(job)
  const read = async () => (await database()).read

  return {
    createAuthorization: input => write(tx => authorizations.addAuthorization(tx, input)),
    async getAuthorizationByDeviceHash(deviceCodeHash, now, redeliveryWindowMs) {
      authorizations.requireWindow(redeliveryWindowMs)
      return write(tx => authorizations.pollAuthorization(tx, deviceCodeHash, now, redeliveryWindowMs))
    },
    getAuthorizationByUserHash: async (userCodeHash, now) =>
      authorizations.findByUserCode(await read(), userCodeHash, now),
    approveAuthorization: input => write(tx => environments.approve(tx, input)),
    reserveAuthorization: input => write(tx => environments.reserve(tx, input)),
    denyAuthorization: (id, now) => write(tx => authorizations.denyAuthorization(tx, id, now)),
    rotateAuthorizationCredential: (id, expected, replacement, now) =>
      write(tx => authorizations.rotateCredential(tx, id, expected, replacement, now)),

    claimNextEnvironmentLifecycle: (claimToken, now, claimUntil) =>
      write(tx => lifecycle.claimNext(tx, { claimToken, now, claimUntil })),
    saveEnvironmentRelayProgress: (id, status, claimToken, progress, now) =>
      write(tx => lifecycle.saveProgress(tx, { id, status, claimToken }, progress, now)),
    completeEnvironmentProvisioning: (id, claimToken, credentialCiphertext, now) =>
      write(tx => lifecycle.completeProvisioning(tx, { id, claimToken }, credentialCiphertext, now)),
    beginEnvironmentRevocation: input => write(tx => lifecycle.beginRevocation(tx, input)),
    abandonEnvironmentProvisioning: (id, claimToken, now) =>
      write(tx => lifecycle.abandonProvisioning(tx, { id, claimToken }, now)),
    completeEnvironmentRevocation: (id, claimToken, now) =>
      write(tx => lifecycle.completeRevocation(tx, { id, claimToken }, now)),
    recordEnvironmentLifecycleFailure: (id, status, claimToken, error, nextAttemptAt, now) =>
      write(tx => lifecycle.recordFailure(tx, { id, status, claimToken }, { error, nextAttemptAt, now })),

    getEnvironmentByControlTokenHash: async (hash, scope) => environments.findByControlToken(await read(), hash, scope),
    listEnvironments: async scope => environments.listActive(await read(), scope),
    revokeEnvironment: (id, scope, now) => write(tx => environments.revoke(tx, id, scope, now)),
    rotateEnvironmentCredential: (id, credential, expected, replacement, now) =>
      write(tx => environments.rotateCredential(tx, id, credential, expected, replacement, now)),
    purgeConnectRecords: input => write(tx => purge(tx, input)),
  }
}
