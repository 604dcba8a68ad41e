/**
 * What a host relies on in a `ConnectStore`, as tests over any implementation; `setUp` gives a store on an empty
 * database. Work under claims: `connect-store-lifecycle.ts`. All sequences of calls:
 * `tests/property/connect-store.test.ts`.
 */
import { expect, it } from 'vitest'
import type { ConnectStore, CreateAuthorization } from '../../server/host/connect/types.ts'
import {
  ada, approvalOf, approve, ask, host, minute, now, provision, relay, reservationOf, reserve,
} from './connect-fixtures.ts'
import { describeConnectLifecycle } from './connect-store-lifecycle.ts'

export type MakeConnectStore = () => Promise<ConnectStore>

const window = minute

/** Adds the tests to the suite around it. */
export function describeConnectStore(makeStore: MakeConnectStore): void {
  describeAuthorizations(makeStore)
  describeDelivery(makeStore)
  describeEnvironments(makeStore)
  describeConnectLifecycle(makeStore)
}

function describeAuthorizations(makeStore: MakeConnectStore): void {
  it('keeps a request whole until it expires, and nothing that its contract does not name', async () => {
    const store = await makeStore()
    const input = {
      deviceCodeHash: 'd', userCodeHash: 'u', host, expiresAt: now + 1, now, userCodeDisplay: 'BRAVE-RIVER-123',
    } as CreateAuthorization
    expect(await store.createAuthorization(input)).toBeUndefined()
    const asked = await store.getAuthorizationByUserHash('u', now)
    expect(asked).toEqual({ _id: expect.any(String), status: 'pending', host, expires_at: now + 1 })
    expect(await store.getAuthorizationByDeviceHash('d', now, window)).toEqual(asked)
    expect(await store.getAuthorizationByUserHash('u', now + 1)).toBeNull()
    expect(await store.getAuthorizationByDeviceHash('d', now + 1, window)).toEqual({ ...asked, status: 'expired' })
    expect(await store.getAuthorizationByDeviceHash('d', now, window)).toMatchObject({ status: 'expired' })
    expect([
      await store.getAuthorizationByUserHash('other', now),
      await store.getAuthorizationByDeviceHash('other', now, window),
    ]).toEqual([null, null])
  })

  it('refuses a user code that is in use, and takes one whose request is over', async () => {
    const store = await makeStore()
    const again = (deviceCodeHash: string, at: number) => store.createAuthorization({
      deviceCodeHash, userCodeHash: 'user a', host, expiresAt: at + minute, now: at,
    })
    const first = await ask(store, 'a')
    await expect(again('second', now)).rejects.toMatchObject({ name: 'ConnectStoreError', code: 'conflict' })
    expect(await store.denyAuthorization(first._id, now)).toBe(true)
    await again('third', now + 1)
    await again('fourth', now + 1 + minute)
    const latest = await store.getAuthorizationByUserHash('user a', now + 1 + minute)
    expect(latest).toMatchObject({ status: 'pending', expires_at: now + 1 + 2 * minute })
    await store.approveAuthorization(approvalOf(latest!._id, 'e', { now: now + 1 + minute }))
    await again('fifth', now + 2 + minute)
    await expect(
      again('fifth', now + 9 * minute), 'a device code that was used',
    ).rejects.toMatchObject({ code: 'conflict' })
  })

  it('denies a request once, while it is pending', async () => {
    const store = await makeStore()
    const [one, late] = [await ask(store, 'a'), await ask(store, 'b')]
    expect([
      await store.denyAuthorization(one._id, now), await store.denyAuthorization(one._id, now),
      await store.denyAuthorization('none', now),
    ]).toEqual([true, false, false])
    expect(await store.denyAuthorization(late._id, late.expires_at)).toBe(false)
    expect(await store.getAuthorizationByUserHash('user a', now)).toBeNull()
    expect(await store.getAuthorizationByDeviceHash('device a', now, window)).toMatchObject({ status: 'denied' })
    await expect(
      store.approveAuthorization(approvalOf(one._id, 'e')),
    ).rejects.toMatchObject({ code: 'authorization_unavailable' })
    await expect(
      store.reserveAuthorization(reservationOf(one._id, 'e')),
    ).rejects.toMatchObject({ code: 'authorization_unavailable' })
  })

  it('counts the limit with the approval, by account or by workspace, and writes nothing beyond it', async () => {
    const store = await makeStore()
    const one = { scope: 'account', maxActiveEnvironments: 1 } as const
    await approve(store, 'a')
    const second = await ask(store, 'b')
    for (const workspaceId of ['w1', 'w2']) {
      await expect(
        store.approveAuthorization(approvalOf(second._id, 'b', { workspaceId, limitPolicy: one })),
      ).rejects.toMatchObject({ code: 'environment_limit_reached' })
      await expect(
        store.reserveAuthorization(reservationOf(second._id, 'b', { workspaceId, limitPolicy: one })),
      ).rejects.toMatchObject({ code: 'environment_limit_reached' })
    }
    expect(await store.getAuthorizationByUserHash('user b', now)).toEqual(second)
    expect(await store.listEnvironments(ada)).toHaveLength(1)
    const byWorkspace = { scope: 'workspace', maxActiveEnvironments: 1 } as const
    await expect(
      store.approveAuthorization(approvalOf(second._id, 'b', { limitPolicy: byWorkspace })),
    ).rejects.toMatchObject({ code: 'environment_limit_reached' })
    await store.approveAuthorization(approvalOf(second._id, 'b', { workspaceId: 'w2', limitPolicy: byWorkspace }))
    await expect(approve(store, 'c', { userId: 'bob', limitPolicy: one })).resolves.toBeUndefined()
  })

  it('counts what is under way for a reservation, and for an approval only what is active', async () => {
    const store = await makeStore()
    await reserve(store, 'a')
    const [second, third] = [await ask(store, 'b'), await ask(store, 'c')]
    const one = { scope: 'account', maxActiveEnvironments: 1 } as const
    await expect(
      store.reserveAuthorization(reservationOf(second._id, 'b', { limitPolicy: one })),
    ).rejects.toMatchObject({ code: 'environment_limit_reached' })
    await store.approveAuthorization(approvalOf(second._id, 'b', { limitPolicy: one }))
    await store.beginEnvironmentRevocation({
      environmentId: 'b', scope: ada, claimToken: 'w', claimUntil: now + 1, now,
    })
    const two = { scope: 'account', maxActiveEnvironments: 2 } as const
    await expect(
      store.reserveAuthorization(reservationOf(third._id, 'c', { limitPolicy: two })),
    ).rejects.toMatchObject({ code: 'environment_limit_reached' })
    await store.completeEnvironmentRevocation('b', 'w', now)
    expect(
      await store.reserveAuthorization(reservationOf(third._id, 'c', { limitPolicy: two })),
    ).toMatchObject({ status: 'provisioning' })
  })

  it('holds the limit however many approvals come at once, and approves one request once', async () => {
    const store = await makeStore()
    const asked = await Promise.all(Array.from({ length: 8 }, (_, index) => ask(store, `r${index}`)))
    const approvals = await Promise.allSettled(asked.map(({ _id }, index) =>
      store.approveAuthorization(approvalOf(_id, `e${index}`))))
    expect(approvals.filter(({ status }) => status === 'fulfilled')).toHaveLength(3)
    expect(await store.listEnvironments(ada)).toHaveLength(3)
    const { _id } = await ask(store, 'twice')
    const both = await Promise.allSettled(['x', 'y'].map(id =>
      store.approveAuthorization(approvalOf(_id, id, { userId: 'bob' }))))
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  })

  it('refuses an environment whose id or control token is there already', async () => {
    const store = await makeStore()
    await approve(store, 'a')
    const { _id } = await ask(store, 'b')
    await expect(store.approveAuthorization(approvalOf(_id, 'a'))).rejects.toMatchObject({ code: 'conflict' })
    const environment = { ...reservationOf(_id, 'b').environment, control_token_hash: 'control a' }
    await expect(
      store.reserveAuthorization(reservationOf(_id, 'b', { environment, userId: 'bob' })),
    ).rejects.toMatchObject({ code: 'conflict' })
    expect(await store.getAuthorizationByUserHash('user b', now)).toMatchObject({ status: 'pending' })
  })
}

function describeDelivery(makeStore: MakeConnectStore): void {
  it('gives the device its credential as often as it asks within one window, and never after', async () => {
    const store = await makeStore()
    await approve(store, 'a')
    const poll = (at: number, windowMs = window) => store.getAuthorizationByDeviceHash('device a', at, windowMs)
    const approved = {
      status: 'approved', credential_ciphertext: 'credential a', environment_id: 'a', approved_user_id: 'ada',
      approved_workspace_id: 'w1',
    }
    expect(await poll(now + 5)).toMatchObject(approved)
    // The first poll opens the window; neither a later one nor the request's expiry moves its end.
    expect(await poll(now + 5 + window - 1, 5 * minute)).toMatchObject(approved)
    expect(await poll(now + 5 + window)).toMatchObject(approved)
    const over = await poll(now + 5 + window + 1)
    expect(over).toMatchObject({ status: 'consumed', environment_id: 'a' })
    expect(over!.credential_ciphertext).toBeUndefined()
    expect(await poll(now + 6)).toEqual(over)
  })

  it('bounds the window by five minutes, and takes only a positive whole number', async () => {
    const store = await makeStore()
    await approve(store, 'a')
    for (
      const wrong of [0, -1, 1.5, NaN, Infinity, 2 ** 60]
    ) await expect(store.getAuthorizationByDeviceHash('device a', now, wrong)).rejects.toThrow()
    await store.getAuthorizationByDeviceHash('device a', now, 60 * minute)
    expect(
      await store.getAuthorizationByDeviceHash('device a', now + 5 * minute, window),
    ).toMatchObject({ status: 'approved' })
    expect(
      await store.getAuthorizationByDeviceHash('device a', now + 5 * minute + 1, window),
    ).toMatchObject({ status: 'consumed' })
  })

  it('erases a credential that nobody fetched in time', async () => {
    const store = await makeStore()
    await approve(store, 'a')
    const expired = await store.getAuthorizationByDeviceHash('device a', now + 10 * minute, window)
    expect(expired).toMatchObject({ status: 'expired', approved_user_id: 'ada' })
    expect(expired!.credential_ciphertext).toBeUndefined()
    expect(await store.rotateAuthorizationCredential(expired!._id, 'credential a', 'x', now)).toBe(false)
  })

  it('prolongs a reserved request until its credential can be there', async () => {
    const store = await makeStore()
    const { _id } = await ask(store, 'a', now, minute)
    await store.reserveAuthorization(reservationOf(_id, 'a', { authorizationExpiresAt: now + 5 * minute }))
    const late = now + 2 * minute
    expect(await store.getAuthorizationByUserHash('user a', late)).toMatchObject({
      status: 'provisioning', expires_at: now + 5 * minute,
    })
    expect(
      await store.getAuthorizationByDeviceHash('device a', now + 99 * minute, window),
    ).toMatchObject({ status: 'provisioning' })
    await store.saveEnvironmentRelayProgress('a', 'provisioning', 'first worker', relay('a'), late)
    expect(await store.completeEnvironmentProvisioning('a', 'first worker', 'the credential', late)).toBe(true)
    expect(await store.getAuthorizationByDeviceHash('device a', late, window)).toMatchObject({
      status: 'approved', credential_ciphertext: 'the credential',
    })
    const other = await ask(store, 'b', now, 50 * minute)
    await store.reserveAuthorization(reservationOf(other._id, 'b'))
    expect(
      await store.getAuthorizationByUserHash('user b', now), 'the later of both',
    ).toMatchObject({ expires_at: now + 50 * minute })
  })

  it('rotates a ciphertext only from the one that is expected, and makes none where there is none', async () => {
    const store = await makeStore()
    await approve(store, 'a')
    const { _id } = (await store.getAuthorizationByUserHash('user a', now))!
    expect([
      await store.rotateAuthorizationCredential(_id, 'other', 'x', now),
      await store.rotateAuthorizationCredential(_id, 'credential a', 'new', now),
      await store.rotateEnvironmentCredential('a', 'access', 'other', 'x', now),
      await store.rotateEnvironmentCredential('a', 'access', 'access a', 'new access', now),
      await store.rotateEnvironmentCredential('a', 'tunnel', '', 'x', now),
      await store.rotateEnvironmentCredential('none', 'access', 'access a', 'x', now),
    ]).toEqual([false, true, false, true, false, false])
    expect(
      await store.getAuthorizationByDeviceHash('device a', now, window),
    ).toMatchObject({ credential_ciphertext: 'new' })
    expect(await store.listEnvironments(ada)).toMatchObject([{ access_credential_ciphertext: 'new access' }])
    await reserve(store, 'b')
    expect(await store.rotateEnvironmentCredential('b', 'tunnel', 'tunnel secret b', 'new secret', now)).toBe(true)
    expect(
      await store.abandonEnvironmentProvisioning('b', 'first worker', now),
    ).toMatchObject({ access_credential_ciphertext: '' })
    expect(await store.rotateEnvironmentCredential('b', 'access', '', 'back again', now)).toBe(false)
  })
}

function describeEnvironments(makeStore: MakeConnectStore): void {
  it('keeps an environment as it was approved', async () => {
    const store = await makeStore()
    await approve(store, 'a')
    const environment = {
      ...approvalOf('', 'a').environment, user_id: 'ada', workspace_id: 'w1', status: 'active', lifecycle_attempts: 0,
      lifecycle_next_attempt_at: 0,
    }
    expect(await store.listEnvironments(ada)).toEqual([environment])
    expect(await store.getEnvironmentByControlTokenHash('control a', ada)).toEqual(environment)
  })

  it('lists the active ones, the last changed first', async () => {
    const store = await makeStore()
    for (const [id, at] of [['b', 0], ['a', 0], ['c', 5]] as const) await approve(store, id, {
      now: now + at, limitPolicy: { scope: 'account', maxActiveEnvironments: 9 },
    })
    await reserve(store, 'd', { limitPolicy: { scope: 'account', maxActiveEnvironments: 9 } })
    const ids = async () => (await store.listEnvironments(ada)).map(({ id }) => id)
    expect(await ids()).toEqual(['c', 'a', 'b'])
    await store.rotateEnvironmentCredential('b', 'access', 'access b', 'x', now + 9)
    expect(await ids()).toEqual(['b', 'c', 'a'])
    expect(await store.revokeEnvironment('c', ada, now + 10)).toBe(true)
    expect(await ids()).toEqual(['b', 'a'])
  })

  it('finds, lists and revokes nothing across users and workspaces', async () => {
    const store = await makeStore()
    await provision(store, 'a')
    const others = [{ userId: 'ada', workspaceId: 'w2' }, { userId: 'bob', workspaceId: 'w1' }]
    const before = await store.listEnvironments(ada)
    for (const scope of others) {
      expect(await store.getEnvironmentByControlTokenHash('control a', scope)).toBeNull()
      expect(await store.listEnvironments(scope)).toEqual([])
      expect(await store.revokeEnvironment('a', scope, now)).toBe(false)
      expect(await store.beginEnvironmentRevocation({
        environmentId: 'a', scope, claimToken: 'w', claimUntil: now + 1, now,
      })).toBeNull()
    }
    expect(await store.listEnvironments(ada)).toEqual(before)
    expect(
      await store.getAuthorizationByUserHash('user a', now), 'nor ends its request',
    ).toMatchObject({ status: 'approved' })
  })

  it('revokes at once, with all that is secret', async () => {
    const store = await makeStore()
    await provision(store, 'a')
    expect([
      await store.revokeEnvironment('a', ada, now), await store.revokeEnvironment('a', ada, now),
      await store.revokeEnvironment('none', ada, now),
    ]).toEqual([true, false, false])
    const revoked = (await store.getEnvironmentByControlTokenHash('control a', ada))!
    expect(revoked).toMatchObject({
      status: 'revoked', hostname: '', tunnel_id: '', dns_record_id: '', access_credential_ciphertext: '',
    })
    expect([
      revoked.relay_authenticator, revoked.tunnel_secret_ciphertext, revoked.lifecycle_claim_token,
    ]).toEqual([undefined, undefined, undefined])
    expect(await store.getAuthorizationByDeviceHash('device a', now, window)).toMatchObject({ status: 'expired' })
    expect(await store.getAuthorizationByUserHash('user a', now)).toBeNull()
    await reserve(store, 'b')
    expect(await store.revokeEnvironment('b', ada, now), 'one that is being provisioned too').toBe(true)
    expect(await store.saveEnvironmentRelayProgress('b', 'provisioning', 'first worker', relay('b'), now)).toBe(false)
  })
}
