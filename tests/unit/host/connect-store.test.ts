/** The `ConnectStore` on a real file: the contract, and what is ours beside it. */
import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { createConnectStore } from '../../../server/host/connect/store.ts'
import { ada, approve, ask, host, minute, now, provision, relay, reserve } from '../../contract/connect-fixtures.ts'
import { describeConnectStore } from '../../contract/connect-store.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import { recordStatements } from '../../helpers/query-plans.ts'

describe('the Connect store', () => {
  describeConnectStore(async () => {
    const database = await openTestDatabase()
    return createConnectStore(async () => database)
  })
})

// Seen red with the input spread into the row and a column for it.
it('stores no readable code, wherever it comes', async () => {
  const database = await openTestDatabase()
  const store = createConnectStore(async () => database)
  const input = {
    deviceCodeHash: 'd', userCodeHash: 'u', host, expiresAt: now + minute, now, userCodeDisplay: 'BRAVE-RIVER-123',
  }
  await store.createAuthorization(input)
  await approve(store, 'a')
  const rows = [
    ...await database.read.all(sql`select * from connect_authorizations`),
    ...await database.read.all(sql`select * from connect_environments`),
  ]
  expect(JSON.stringify(rows)).not.toMatch(/BRAVE/)
  const columns = await database.read.all<{ name: string }>(
    sql`select name from pragma_table_info('connect_authorizations')`,
  )
  expect(columns.filter(({ name }) => /display|_code$/.test(name))).toEqual([])
})

// No call of the store leads there, but an imported record may. Seen red without either check.
it('completes nothing for a request that has ended, and ends one that its revocation left open', async () => {
  const database = await openTestDatabase()
  const store = createConnectStore(async () => database)
  const setRequest = (status: string, ciphertext: string | null) => database.write(tx => tx.run(sql`
    update connect_authorizations set status = ${status}, credential_ciphertext = ${ciphertext}`))
  await reserve(store, 'a')
  await store.saveEnvironmentRelayProgress('a', 'provisioning', 'first worker', relay('a'), now)
  await setRequest('expired', null)
  await expect(store.completeEnvironmentProvisioning('a', 'first worker', 'c', now))
    .rejects.toMatchObject({ code: 'conflict' })
  expect(await store.getEnvironmentByControlTokenHash('control a', ada)).toMatchObject({ status: 'provisioning' })

  await store.abandonEnvironmentProvisioning('a', 'first worker', now)
  await setRequest('approved', 'left')
  expect(await store.completeEnvironmentRevocation('a', 'first worker', now)).toBe(true)
  const request = await store.getAuthorizationByDeviceHash('device a', now, minute)
  expect([request!.status, request!.credential_ciphertext]).toEqual(['expired', undefined])
})

it('finds its records by an index, whatever there is besides', async () => {
  const recorded = recordStatements(await openTestDatabase())
  const store = createConnectStore(async () => recorded)
  await provision(store, 'a')
  await reserve(store, 'b')
  await ask(store, 'c')
  await store.getAuthorizationByDeviceHash('device a', now, minute)
  await store.claimNextEnvironmentLifecycle('w', now + 99 * minute, now)
  await store.listEnvironments(ada)
  await store.getEnvironmentByControlTokenHash('control a', ada)
  await store.beginEnvironmentRevocation({ environmentId: 'a', scope: ada, claimToken: 'w', claimUntil: now, now })
  await store.completeEnvironmentRevocation('a', 'w', now)
  await store.revokeEnvironment('b', ada, now)
  await store.purgeConnectRecords({
    authorizationUpdatedBefore: now, revokedEnvironmentUpdatedBefore: now, batchSize: 1,
  })
  const plans = await recorded.takePlans()
  expect(plans.length).toBeGreaterThan(20)
  const scans = plans.flatMap(({ statement, steps }) => steps.filter(step => step.startsWith('SCAN '))
    .map(step => `${step} in ${statement}`))
  expect(scans).toEqual([])
})

it('keeps what it has answered through a restart', async () => {
  const database = await openTestDatabase()
  const store = createConnectStore(async () => database)
  await provision(store, 'a')
  const before = await store.listEnvironments(ada)
  await database.close()
  const reopened = await openTestDatabase({ path: database.path })
  const again = createConnectStore(async () => reopened)
  expect(await again.listEnvironments(ada)).toEqual(before)
  expect(await again.getAuthorizationByDeviceHash('device a', now, minute)).toMatchObject({
    status: 'approved', credential_ciphertext: 'credential a',
  })
})
