/** Work on environments under claims, and purges: part of `connect-store.ts`. */
import { expect, it } from 'vitest'
import type { ConnectStore } from '../../server/host/connect/types.ts'
import { ada, approve, ask, minute, now, provision, relay, reservationOf, reserve } from './connect-fixtures.ts'

const until = now + 2 * minute

/** Adds the tests to the suite around it. */
export function describeConnectLifecycle(makeStore: () => Promise<ConnectStore>): void {
  const find = (store: ConnectStore, id: string) => store.getEnvironmentByControlTokenHash(`control ${id}`, ada)
  const begin = (store: ConnectStore, environmentId: string, claimToken: string, at = now) =>
    store.beginEnvironmentRevocation({ environmentId, scope: ada, claimToken, claimUntil: at + 2 * minute, now: at })

  it('reserves an environment that is claimed, empty and not listed yet', async () => {
    const store = await makeStore()
    const reserved = await reserve(store, 'a')
    const { _id } = (await store.getAuthorizationByUserHash('user a', now))!
    expect(reserved).toEqual({
      ...reservationOf('', 'a').environment, user_id: 'ada', workspace_id: 'w1', status: 'provisioning',
      authorization_id: _id,
      hostname: '', tunnel_id: '', dns_record_id: '', lifecycle_attempts: 0, lifecycle_next_attempt_at: now,
      lifecycle_claim_token: 'first worker', lifecycle_claimed_until: until,
      provisioning_deadline_at: now + 15 * minute, activation_deadline_at: now + 30 * minute,
    })
    expect(await store.listEnvironments(ada)).toEqual([])
    expect(await store.getAuthorizationByUserHash('user a', now)).toMatchObject({
      status: 'provisioning', environment_id: 'a',
    })
    expect((await begin(store, 'a', 'w'))).toBeNull()
  })

  it('keeps the progress of provisioning under the claim alone, also what it says is gone', async () => {
    const store = await makeStore()
    await reserve(store, 'a')
    const save = (
      claim: string, progress: object, status: 'provisioning' | 'revoking' = 'provisioning',
    ) => store.saveEnvironmentRelayProgress('a', status, claim, progress, now + 99 * minute)
    expect([
      await save('another', relay('a')), await save('first worker', relay('a'), 'revoking'),
      await save('first worker', { hostname: 'h', tunnelId: 't' }),
    ]).toEqual([false, false, true])
    expect(await find(store, 'a')).toMatchObject({ hostname: 'h', tunnel_id: 't', dns_record_id: '' })
    expect(await save('first worker', { hostname: '', relayAuthenticator: 'cookie' })).toBe(true)
    expect(await find(store, 'a')).toMatchObject({ hostname: '', tunnel_id: 't', relay_authenticator: 'cookie' })
    for (const missing of [{ hostname: '' }, { tunnelId: '' }, { dnsRecordId: '' }]) {
      await save('first worker', { ...relay('a'), ...missing })
      expect(await store.completeEnvironmentProvisioning('a', 'first worker', 'c', now), 'not all is there').toBe(false)
    }
  })

  it('makes it active and its request approved, in one', async () => {
    const store = await makeStore()
    await reserve(store, 'a')
    await store.saveEnvironmentRelayProgress('a', 'provisioning', 'first worker', relay('a'), now)
    const complete = (claim: string) => store.completeEnvironmentProvisioning('a', claim, 'the credential', now + 1)
    expect([
      await complete('another'), await complete('first worker'), await complete('first worker'),
    ]).toEqual([false, true, false])
    const [active] = await store.listEnvironments(ada)
    expect(active).toMatchObject({
      status: 'active', lifecycle_next_attempt_at: 0, activation_deadline_at: now + 30 * minute,
      access_credential_ciphertext: 'access a',
    })
    expect([
      active!.tunnel_secret_ciphertext, active!.lifecycle_claim_token, active!.lifecycle_claimed_until,
    ]).toEqual([undefined, undefined, undefined])
    expect(await store.getAuthorizationByUserHash('user a', now)).toMatchObject({
      status: 'approved', credential_ciphertext: 'the credential',
    })
    await expect(store.completeEnvironmentProvisioning('none', 'first worker', 'c', now)).rejects.toMatchObject({
      name: 'ConnectStoreError', code: 'authorization_unavailable',
    })
  })

  it('gives due work to one claim at a time, what has waited longest first', async () => {
    const store = await makeStore()
    for (const [id, nextAttempt] of [['a', 20], ['b', 30], ['c', 10]] as const) {
      await reserve(store, id)
      expect(
        await store.recordEnvironmentLifecycleFailure(
          id, 'provisioning', 'first worker', 'no relay', now + nextAttempt, now,
        ),
      ).toBe(true)
    }
    const claims = await Promise.all(['x', 'y', 'z']
      .map(token => store.claimNextEnvironmentLifecycle(token, now + 20, now + 50)))
    expect(claims.map(one => one?.id)).toEqual(['c', 'a', undefined])
    expect(claims[0]).toMatchObject({
      lifecycle_claim_token: 'x', lifecycle_claimed_until: now + 50, lifecycle_attempts: 1, lifecycle_error: 'no relay',
    })
    expect((await store.claimNextEnvironmentLifecycle('z', now + 30, now + 60))?.id).toBe('b')
    expect(await store.claimNextEnvironmentLifecycle('z', now + 49, now + 60)).toBeNull()
    expect((await store.claimNextEnvironmentLifecycle('z', now + 50, now + 60))?.id, 'a claim that is over').toBe('c')
    expect(await store.saveEnvironmentRelayProgress('c', 'provisioning', 'x', relay('c'), now)).toBe(false)
  })

  it('records a failure under the claim, which ends with it; the progress stays', async () => {
    const store = await makeStore()
    await reserve(store, 'a')
    await store.saveEnvironmentRelayProgress('a', 'provisioning', 'first worker', relay('a'), now)
    const record = (claim: string, text = 'x') => store.recordEnvironmentLifecycleFailure(
      'a', 'provisioning', claim, text, now + 5_000, now,
    )
    expect([
      await record('another'), await record('first worker', `${'e'.repeat(499)}\ud83d\ude00 more`),
      await record('first worker'),
    ]).toEqual([false, true, false])
    const failed = await find(store, 'a')
    expect(failed).toMatchObject({
      status: 'provisioning', hostname: 'a.example.test', lifecycle_attempts: 1, lifecycle_next_attempt_at: now + 5_000,
    })
    expect(failed!.lifecycle_error).toBe(`${'e'.repeat(499)}\ufffd`)
    expect(failed!.lifecycle_claim_token).toBeUndefined()
    await store.claimNextEnvironmentLifecycle('second worker', now + 5_000, now + 9_000)
    expect(await record('second worker')).toBe(true)
    expect(await find(store, 'a')).toMatchObject({ lifecycle_attempts: 2, lifecycle_error: 'x' })
  })

  it('revokes what no device has come for by its deadline, and ends its request', async () => {
    const store = await makeStore()
    await provision(store, 'a')
    await provision(store, 'fetched', { limitPolicy: { scope: 'account', maxActiveEnvironments: 9 } })
    await store.getAuthorizationByDeviceHash('device fetched', now, minute)
    expect((await find(store, 'fetched'))).toMatchObject({ activation_claimed_at: now })
    expect((await find(store, 'fetched'))!.activation_deadline_at).toBeUndefined()
    await provision(store, 'early', {
      activationDeadlineAt: now + minute, limitPolicy: { scope: 'account', maxActiveEnvironments: 9 },
    })
    await reserve(store, 'other work', { limitPolicy: { scope: 'account', maxActiveEnvironments: 9 } })
    const claim = (at: number) => store.claimNextEnvironmentLifecycle('w', at, at + 1)
    expect(await claim(now + minute - 1)).toBeNull()
    const late = now + 30 * minute
    expect((await claim(late))!.id).toBe('early')
    expect(await claim(late)).toMatchObject({
      id: 'a', status: 'revoking', access_credential_ciphertext: '', lifecycle_claim_token: 'w',
      lifecycle_next_attempt_at: late,
      lifecycle_error: 'Activation deadline expired.', hostname: 'a.example.test',
    })
    expect((await claim(late))!.id, 'after those').toBe('other work')
    expect(await claim(late)).toBeNull()
    const ended = await store.getAuthorizationByDeviceHash('device a', late, minute)
    expect(ended).toMatchObject({ status: 'expired' })
    expect(ended!.credential_ciphertext).toBeUndefined()
  })

  it('abandons provisioning under its claim, which goes on to revoke', async () => {
    const store = await makeStore()
    await reserve(store, 'a')
    await store.saveEnvironmentRelayProgress('a', 'provisioning', 'first worker', relay('a'), now)
    expect(await store.abandonEnvironmentProvisioning('a', 'another', now)).toBeNull()
    const abandoned = await store.abandonEnvironmentProvisioning('a', 'first worker', now + 1)
    expect(abandoned).toMatchObject({
      status: 'revoking', access_credential_ciphertext: '', lifecycle_error: 'Provisioning deadline expired.',
      lifecycle_claim_token: 'first worker',
      lifecycle_claimed_until: until, lifecycle_next_attempt_at: now + 1, tunnel_id: 'tunnel a',
    })
    expect(abandoned!.tunnel_secret_ciphertext).toBeUndefined()
    expect(await store.getAuthorizationByDeviceHash('device a', now, minute)).toMatchObject({ status: 'expired' })
    expect(await store.abandonEnvironmentProvisioning('a', 'first worker', now)).toBeNull()
    await expect(
      store.abandonEnvironmentProvisioning('none', 'first worker', now),
    ).rejects.toMatchObject({ code: 'authorization_unavailable' })
  })

  it('revokes in steps: secrets at once, names when they are gone', async () => {
    const store = await makeStore()
    await provision(store, 'a')
    await store.getAuthorizationByDeviceHash('device a', now, minute)
    const begun = await begin(store, 'a', 'w1')
    expect(begun).toMatchObject({
      claimed: true,
      environment: {
        status: 'revoking', access_credential_ciphertext: '', hostname: 'a.example.test', lifecycle_claim_token: 'w1',
      },
    })
    expect(
      await store.getAuthorizationByDeviceHash('device a', now + 1, minute), 'its credential is gone at once',
    ).toMatchObject({ status: 'expired' })
    expect(await begin(store, 'a', 'w2')).toMatchObject({
      claimed: false, environment: { lifecycle_claim_token: 'w1' },
    })
    expect(await begin(store, 'a', 'w2', until)).toMatchObject({
      claimed: true, environment: { lifecycle_claim_token: 'w2' },
    })
    expect(
      await store.saveEnvironmentRelayProgress('a', 'revoking', 'w2', { hostname: '', tunnelId: '' }, now),
    ).toBe(true)
    expect([
      await store.completeEnvironmentRevocation('a', 'w1', now),
      await store.completeEnvironmentRevocation('a', 'w2', now),
    ]).toEqual([false, true])
    const revoked = await find(store, 'a')
    expect(revoked).toMatchObject({
      status: 'revoked', hostname: '', tunnel_id: '', dns_record_id: '', access_credential_ciphertext: '',
    })
    expect([
      revoked!.relay_authenticator, revoked!.lifecycle_claim_token, revoked!.lifecycle_error,
    ]).toEqual([undefined, undefined, undefined])
    expect(await begin(store, 'a', 'w3')).toMatchObject({ claimed: false, environment: { status: 'revoked' } })
    expect(await begin(store, 'none', 'w3')).toBeNull()
  })

  it('purges what has been over for long, the oldest first, so many of each kind', async () => {
    const store = await makeStore()
    for (const [index, id] of ['a', 'b', 'c'].entries()) {
      await provision(store, id, { limitPolicy: { scope: 'account', maxActiveEnvironments: 9 } })
      await store.revokeEnvironment(id, ada, now + index)
    }
    await ask(store, 'living')
    await approve(store, 'active')
    const purge = (before: number, batchSize: number) => store.purgeConnectRecords({
      authorizationUpdatedBefore: before, revokedEnvironmentUpdatedBefore: before, batchSize,
    })
    for (const wrong of [0, -1, 1.5, NaN, Infinity]) await expect(purge(now, wrong)).rejects.toThrow()
    expect(await purge(now - 1, 100)).toEqual({ authorizations: 0, environments: 0 })
    expect(await purge(now + 1, 1)).toEqual({ authorizations: 1, environments: 1 })
    expect([
      await find(store, 'a'), await store.getAuthorizationByDeviceHash('device a', now, minute),
    ]).toEqual([null, null])
    expect(await find(store, 'b')).not.toBeNull()
    expect(await purge(now + 1, 100)).toEqual({ authorizations: 1, environments: 1 })
    expect(await purge(now + 99 * minute, 9_999)).toEqual({ authorizations: 1, environments: 1 })
    expect(await store.getAuthorizationByUserHash('user living', now)).toMatchObject({ status: 'pending' })
    expect(await store.listEnvironments(ada)).toHaveLength(1)
  })
}
