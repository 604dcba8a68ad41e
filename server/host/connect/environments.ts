/**
 * Environments of a user in a workspace: made within a limit, found, listed and revoked there alone. The limit is
 * counted in the transaction that makes one, so it holds however many approvals come at once.
 */
import { and, asc, count, desc, eq, inArray, ne, notInArray, or } from 'drizzle-orm'
import type { SyncDatabase, WriteTransaction } from '../../database/types.ts'
import {
  connectAuthorizations as authorizations, connectEnvironments as environments,
} from '../../database/schema/index.ts'
import { expireAuthorizations, requirePending } from './authorizations.ts'
import { type EnvironmentRow, toActiveRow, toEnvironment, toReservedRow } from './rows.ts'
import {
  type ApproveAuthorization, type ConnectEnvironmentRecord, type ConnectLimitPolicy, type ConnectScope,
  ConnectStoreError,
  type ReserveAuthorization,
} from './types.ts'

type Reader = Pick<SyncDatabase['read'], 'select'>

/** Authorizations that may still lead somewhere. */
export const unfinished = ['pending', 'provisioning', 'approved', 'delivering'] as const

/** What is erased when an environment is on its way out, and when it is gone. */
export const withoutSecrets = { accessCredentialCiphertext: '', tunnelSecretCiphertext: null } as const
export const gone = {
  ...withoutSecrets, status: 'revoked', hostname: '', tunnelId: '', dnsRecordId: '', relayAuthenticator: null,
  claimToken: null, claimedUntilMs: null, lifecycleError: null,
} as const

/**
 * One step from pending to approved, with an active environment. Throws `ConnectStoreError`, and writes nothing then.
 */
export async function approve(tx: WriteTransaction, input: ApproveAuthorization): Promise<{ environment_id: string }> {
  await requirePending(tx, input.authorizationId, input.now)
  await requireRoom(tx, input, ['active'])
  await addEnvironment(tx, toActiveRow(input))
  await tx.update(authorizations)
    .set({ ...approvedBy(input), status: 'approved', credentialCiphertext: input.credentialCiphertext })
    .where(eq(authorizations.id, input.authorizationId))
  return { environment_id: input.environment.id }
}

/** From pending to provisioning, with an environment that the caller has claimed. Throws as `approve`. */
export async function reserve(tx: WriteTransaction, input: ReserveAuthorization): Promise<ConnectEnvironmentRecord> {
  const { expiresAtMs } = await requirePending(tx, input.authorizationId, input.now)
  await requireRoom(tx, input, ['provisioning', 'active', 'revoking'])
  const row = await addEnvironment(tx, toReservedRow(input))
  await tx.update(authorizations)
    .set({
      ...approvedBy(input), status: 'provisioning', expiresAtMs: Math.max(expiresAtMs, input.authorizationExpiresAt),
    })
    .where(eq(authorizations.id, input.authorizationId))
  return toEnvironment(row)
}

/** Of any status, but only within the scope. */
export async function findByControlToken(
  read: Reader,
  hash: string,
  scope: ConnectScope,
): Promise<ConnectEnvironmentRecord | null> {
  const row = await read.select().from(environments)
    .where(and(eq(environments.controlTokenHash, hash), isWithin(scope))).get()
  return row ? toEnvironment(row) : null
}

/** The active ones, the last changed first. */
export async function listActive(read: Reader, scope: ConnectScope): Promise<ConnectEnvironmentRecord[]> {
  const rows = await read.select().from(environments).where(and(isWithin(scope), eq(environments.status, 'active')))
    .orderBy(desc(environments.updatedAtMs), asc(environments.id))
  return rows.map(toEnvironment)
}

/** At once, whatever its relay still has. False outside of the scope, and where it is revoked already. */
export async function revoke(tx: WriteTransaction, id: string, scope: ConnectScope, now: number): Promise<boolean> {
  const { rowsAffected } = await tx.update(environments).set({ ...gone, revokedAtMs: now, updatedAtMs: now })
    .where(and(eq(environments.id, id), isWithin(scope), ne(environments.status, 'revoked')))
  if (rowsAffected === 0) return false
  await expireAuthorizations(tx, { environmentId: id }, unfinished, now)
  return true
}

/** Compare and set. False where the ciphertext is another one by now, or was erased. */
export async function rotateCredential(
  tx: WriteTransaction,
  id: string,
  credential: 'access' | 'tunnel',
  expected: string,
  replacement: string,
  now: number,
): Promise<boolean> {
  const column = credential === 'access' ? 'accessCredentialCiphertext' : 'tunnelSecretCiphertext'
  const { rowsAffected } = await tx.update(environments).set({ [column]: replacement, updatedAtMs: now })
    .where(
      and(
        eq(environments.id, id), eq(environments[column], expected),
        notInArray(environments.status, ['revoking', 'revoked']),
      ),
    )
  return rowsAffected === 1
}

/** Within one user's part of one workspace. */
export function isWithin({ userId, workspaceId }: ConnectScope) {
  return and(eq(environments.userId, userId), eq(environments.workspaceId, workspaceId))
}

async function addEnvironment(tx: WriteTransaction, row: EnvironmentRow): Promise<EnvironmentRow> {
  const same = await tx.select({ id: environments.id }).from(environments)
    .where(or(eq(environments.id, row.id), eq(environments.controlTokenHash, row.controlTokenHash))).limit(1)
  if (same.length > 0) {
    throw new ConnectStoreError('conflict', 'An environment with this id or control token exists already.')
  }
  const [stored] = await tx.insert(environments).values(row).returning()
  return stored!
}

async function requireRoom(
  tx: WriteTransaction,
  { userId, workspaceId, limitPolicy }: ConnectScope & { limitPolicy: ConnectLimitPolicy },
  statuses: EnvironmentRow['status'][],
): Promise<void> {
  const { scope, maxActiveEnvironments } = limitPolicy
  const isCounted = scope === 'workspace' ? isWithin({ userId, workspaceId }) : eq(environments.userId, userId)
  const [row] = await tx.select({ used: count() }).from(environments)
    .where(and(isCounted, inArray(environments.status, statuses)))
  if (row!.used < maxActiveEnvironments) return
  throw new ConnectStoreError(
    'environment_limit_reached',
    `There are ${maxActiveEnvironments} connected environments already: that is the limit.`,
  )
}

function approvedBy({ userId, workspaceId, environment, now }: ApproveAuthorization | ReserveAuthorization) {
  return { approvedUserId: userId, approvedWorkspaceId: workspaceId, environmentId: environment.id, updatedAtMs: now }
}
