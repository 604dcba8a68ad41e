/** What may happen to OR3 Connect in a model run: each command does it for real and in the model, and compares. */
import fc from 'fast-check'
import { expect } from 'vitest'
import type {
  ConnectAuthorizationRecord, ConnectEnvironmentRecord, ConnectMachine, ConnectStore,
} from '../../server/host/connect/types.ts'
import { host } from '../contract/connect-fixtures.ts'
import { type ConnectModel, Refusal, released, type Seen } from './connect-model.ts'

/** The store; the model's names of its authorizations by their ids, and the newest id of each device code. */
export interface RealConnect {
  store: ConnectStore
  names: Map<string, string>
  newest: Map<string, string>
  clock: { now: number }
}

export type ConnectCommand = fc.AsyncCommand<ConnectModel, RealConnect>

const devices = ['d0', 'd1', 'd2', 'd3']
const users = ['u0', 'u1']
const environmentIds = ['e0', 'e1', 'e2', 'e3']
const scopes = ['ada', 'bob'].flatMap(userId => ['w1', 'w2'].map(workspaceId => ({ userId, workspaceId })))
const machine: ConnectMachine = { name: 'm', platform: 'p', architecture: 'a' }

const device = fc.constantFrom(...devices)
const environmentId = fc.constantFrom(...environmentIds)
const token = fc.constantFrom('t0', 't1')
/** What a rotation expects: what an approval, a reservation, its completion or a rotation has stored, or nothing. */
const ciphertext = fc.tuple(fc.constantFrom('k', 'p', 'a', 's'), environmentId).map(([kind, id]) => `${kind} ${id}`)
  .chain(text => fc.constantFrom(text, text, 'r', ''))
/** Most of what happens is one user's, so that their limits and scopes meet. */
const scope = fc.constantFrom(scopes[0]!, scopes[0]!, scopes[0]!, ...scopes)
const span = fc.integer({ min: 1, max: 12 })
const work = fc.constantFrom('provisioning' as const, 'revoking' as const)

/** One command: its arguments, what it does for real, what the model says. `at` is the moment, which only moves on. */
function command<T extends object>(
  name: string,
  args: { [K in keyof T]: fc.Arbitrary<T[K]> },
  real: (real: RealConnect, args: T, now: number) => Promise<unknown>,
  model: (model: ConnectModel, args: T, now: number) => unknown,
): fc.Arbitrary<ConnectCommand> {
  return fc.tuple(fc.record<T>(args), fc.nat(3)).map(([values, passed]) => ({
    check: () => true,
    async run(world, { clock, ...rest }) {
      const now = clock.now += passed
      const expected = await outcome(() => model(world, values, now))
      expect(await outcome(() => real({ clock, ...rest }, values, now))).toEqual(expected)
    },
    toString: () => `${name}(${JSON.stringify(values)}) after ${passed}`,
  }))
}

async function outcome(run: () => unknown): Promise<unknown> {
  try {
    return await run()
  }
  catch (error) {
    if (error instanceof Refusal) return { refused: error.message }
    if (error instanceof Error && error.name === 'ConnectStoreError' && 'code' in error) return { refused: error.code }
    throw error
  }
}

/** What both know of an authorization. */
function seen({ names }: RealConnect, record: ConnectAuthorizationRecord | null): Seen | null {
  if (!record) return null
  const { _id, status, credential_ciphertext: ciphertext, environment_id: environment, expires_at: expires } = record
  return { name: names.get(_id)!, status, ciphertext, environment, expires }
}

type Noted = ConnectEnvironmentRecord & { made?: number, changed?: number }

/** What both know of an environment; `names` are given for a record of the store. */
function plain(record: ConnectEnvironmentRecord | null | undefined, names?: Map<string, string>): object | null {
  if (!record) return null
  const { made, changed, authorization_id: id, ...rest } = record as Noted
  return { ...rest, authorization_id: id === undefined ? undefined : names ? names.get(id) : id }
}

const idOf = ({ newest }: RealConnect, code: string) => newest.get(code) ?? 'none'
const policy = fc.record({
  scope: fc.constantFrom('account' as const, 'workspace' as const),
  maxActiveEnvironments: fc.integer({ min: 1, max: 3 }),
})
const approval = { device, id: environmentId, scope, policy }
type ApprovalArgs = {
  device: string, id: string, scope: typeof scopes[0],
  policy: { scope: 'account' | 'workspace', maxActiveEnvironments: number },
}

const named = (id: string) => ({
  ...machine, id, control_token_hash: `c ${id}`, access_credential_ciphertext: `a ${id}`,
})

const approveInput = ({ id, scope, policy }: ApprovalArgs, authorizationId: string, now: number) => ({
  ...scope, authorizationId, limitPolicy: policy, now, credentialCiphertext: `k ${id}`,
  environment: { ...named(id), hostname: 'h', tunnel_id: 't', dns_record_id: 'd' },
})

type ReserveArgs = ApprovalArgs & { token: string, until: number, deadline: number, expiry: number }

const reserveInput = ({
  id, scope, policy, token, until, deadline, expiry,
}: ReserveArgs, authorizationId: string, now: number) => ({
  ...scope, authorizationId, limitPolicy: policy, now, claimToken: token, claimUntil: now + until,
  provisioningDeadlineAt: now + deadline, activationDeadlineAt: now + deadline, authorizationExpiresAt: now + expiry,
  environment: { ...named(id), tunnel_secret_ciphertext: `s ${id}` },
})

const claimArgs = { id: environmentId, token, until: span }

export const connectCommands: fc.Arbitrary<ConnectCommand>[] = [
  command<{
    device: string, user: string, lasts: number,
  }>('create', { device, user: fc.constantFrom(...users), lasts: span }, async (real, { device, user, lasts }, now) => {
    await real.store.createAuthorization({
      deviceCodeHash: device, userCodeHash: user, host, expiresAt: now + lasts, now,
    })
    const { _id } = (await real.store.getAuthorizationByUserHash(user, now))!
    real.names.set(_id, `a${real.names.size}`)
    real.newest.set(device, _id)
  }, (model, { device, user, lasts }, now) => model.create(device, user, now + lasts, now)),
  command<{ device: string, window: number }>('poll', { device, window: span },
    async (real, { device, window }, now) => seen(
      real, await real.store.getAuthorizationByDeviceHash(device, now, window),
    ),
    (model, { device, window }, now) => model.poll(device, now, window)),
  command<ApprovalArgs>('approve', approval,
    async (real, args, now) => (
      await real.store.approveAuthorization(approveInput(args, idOf(real, args.device), now))
    ).environment_id,
    (model, args, now) => (model.approve(args.device, approveInput(args, '', now)), args.id)),
  command<ReserveArgs>('reserve', { ...approval, token, until: span, deadline: span, expiry: span },
    async (real, args, now) => (
      await real.store.reserveAuthorization(reserveInput(args, idOf(real, args.device), now))
    ).status,
    (model, args, now) => (model.reserve(args.device, reserveInput(args, '', now)), 'provisioning')),
  command<{ device: string }>('deny', { device },
    (real, { device }, now) => real.store.denyAuthorization(idOf(real, device), now),
    (model, { device }, now) => model.deny(device, now)),
  command<{ token: string, until: number }>('claim', { token, until: span },
    async (
      { store, names }, { token, until }, now,
    ) => plain(await store.claimNextEnvironmentLifecycle(token, now, now + until), names),
    (model, { token, until }, now) => plain(model.claim(token, now, now + until))),
  command<{ id: string, status: 'provisioning' | 'revoking', token: string, names: object }>('progress', {
    id: environmentId, status: work, token,
    // Often all of it, so that environments become active by this way too.
    names: fc.oneof(fc.constant({ hostname: 'h', tunnelId: 't', dnsRecordId: 'd' }), fc.record({
      hostname: fc.constantFrom('h', 'h', ''), tunnelId: fc.constantFrom('t', 't', ''), dnsRecordId: fc.constant('d'),
    }, { requiredKeys: [] })),
  }, ({ store }, { id, status, token, names }, now) => {
    return store.saveEnvironmentRelayProgress(id, status, token, names, now)
  }, (model, { id, status, token, names }, now) => {
    const { hostname, tunnelId, dnsRecordId } = names as { hostname?: string, tunnelId?: string, dnsRecordId?: string }
    const one = model.held(id, status, token)
    const given = Object.entries({
      hostname, tunnel_id: tunnelId, dns_record_id: dnsRecordId,
    }).filter(([, value]) => value !== undefined)
    return one ? (Object.assign(one, Object.fromEntries(given), { changed: now }), true) : false
  }),
  command<{ id: string, token: string }>('complete', { id: environmentId, token },
    (real, { id, token }, now) => real.store.completeEnvironmentProvisioning(id, token, `p ${id}`, now),
    (model, { id, token }, now) => model.complete(id, token, `p ${id}`, now)),
  command<{
    id: string, scope: typeof scopes[0], token: string, until: number,
  }>('begin', { ...claimArgs, scope }, async ({ store, names }, { id, scope, token, until }, now) => {
    const begun = await store.beginEnvironmentRevocation({
      environmentId: id, scope, claimToken: token, claimUntil: now + until, now,
    })
    return begun && { claimed: begun.claimed, environment: plain(begun.environment, names) }
  }, (model, { id, scope, token, until }, now) => {
    const begun = model.begin(id, scope, token, now + until, now)
    return begun && { claimed: begun.claimed, environment: plain(begun.environment) }
  }),
  command<{ id: string, token: string }>('abandon', { id: environmentId, token },
    async ({ store, names }, { id, token }, now) => plain(
      await store.abandonEnvironmentProvisioning(id, token, now), names,
    ),
    (model, { id, token }, now) => plain(model.abandon(id, token, now))),
  command<{ id: string, token: string }>('finish', { id: environmentId, token },
    (real, { id, token }, now) => real.store.completeEnvironmentRevocation(id, token, now),
    (model, { id, token }, now) => model.finish(id, token, now)),
  command<{
    id: string, status: 'provisioning' | 'revoking', token: string, wait: number,
  }>('fail', { id: environmentId, status: work, token, wait: span },
    (real, { id, status, token, wait }, now) => real.store.recordEnvironmentLifecycleFailure(
      id, status, token, 'no', now + wait, now,
    ),
    (model, { id, status, token, wait }, now) => {
      const one = model.held(id, status, token)
      const failed = {
        lifecycle_attempts: (one?.lifecycle_attempts ?? 0) + 1, lifecycle_next_attempt_at: now + wait,
        lifecycle_error: 'no', changed: now,
      }
      return one ? (Object.assign(one, failed, released), true) : false
    }),
  command<{ id: string, scope: typeof scopes[0] }>('revoke', { id: environmentId, scope },
    (real, { id, scope }, now) => real.store.revokeEnvironment(id, scope, now),
    (model, { id, scope }, now) => model.revoke(id, scope, now)),
  command<{ device: string, from: string }>('rotate', { device, from: ciphertext },
    (real, { device, from }, now) => real.store.rotateAuthorizationCredential(idOf(real, device), from, 'r', now),
    (model, { device, from }, now) => model.rotate(device, from, 'r', now)),
  command<{ id: string, which: 'access' | 'tunnel', from: string }>('rotate environment', {
    id: environmentId, which: fc.constantFrom('access' as const, 'tunnel' as const), from: ciphertext,
  }, (real, { id, which, from }, now) => real.store.rotateEnvironmentCredential(id, which, from, 'r', now),
  (model, { id, which, from }, now) => model.rotateEnvironment(id, which, from, 'r', now)),
  command<{ age: number }>('purge', { age: span },
    (real, { age }, now) => real.store.purgeConnectRecords({
      authorizationUpdatedBefore: now - age, revokedEnvironmentUpdatedBefore: now - age, batchSize: 500,
    }),
    (model, { age }, now) => model.purge(now - age)),
]

/** All that can be read without a change is as the model has it. */
export async function expectEqual(model: ConnectModel, real: RealConnect): Promise<void> {
  const { store, names, clock: { now } } = real
  for (const user of users) expect(
    seen(real, await store.getAuthorizationByUserHash(user, now)),
  ).toEqual(model.byUser(user, now))
  for (const scope of scopes) {
    const listed = await store.listEnvironments(scope)
    expect(listed.map(one => plain(one, names))).toEqual(model.list(scope).map(one => plain(one)))
    for (const id of environmentIds) {
      const one = model.environments.get(id)
      const isTheirs = one?.user_id === scope.userId && one.workspace_id === scope.workspaceId
      expect(
        plain(await store.getEnvironmentByControlTokenHash(`c ${id}`, scope), names),
      ).toEqual(isTheirs ? plain(one) : null)
    }
  }
}
