/**
 * Work on an environment: provisioning, and revoking with what its relay still has. It is done under a claim with an
 * end; without the claim nothing of the environment changes. Each step is one transaction.
 */
import { and, asc, eq, isNull, lte, or, sql } from 'drizzle-orm'
import type { SQLiteUpdateSetSource } from 'drizzle-orm/sqlite-core'
import type { WriteTransaction } from '../../database/types.ts'
import {
  connectAuthorizations as authorizations, connectEnvironments as environments,
} from '../../database/schema/index.ts'
import { expireAuthorizations } from './authorizations.ts'
import { gone, isWithin, unfinished, withoutSecrets } from './environments.ts'
import { type EnvironmentRow, toEnvironment } from './rows.ts'
import { type BeginRevocation, type ConnectEnvironmentRecord, ConnectStoreError, type RelayProgress } from './types.ts'

interface Claim { claimToken: string, claimUntil: number, now: number }
/** Work under the claim of its token. */
interface Claimed { id: string, status: 'provisioning' | 'revoking', claimToken: string }

const maxErrorLength = 500

/** An environment that nobody has claimed in time, else the work that is due; null where there is none. */
export async function claimNext(tx: WriteTransaction, claim: Claim): Promise<ConnectEnvironmentRecord | null> {
  return await claimUnclaimed(tx, claim) ?? claimDue(tx, claim)
}

/** False without the claim. A field that is given is set, also to nothing. */
export async function saveProgress(
  tx: WriteTransaction,
  claimed: Claimed,
  progress: RelayProgress,
  now: number,
): Promise<boolean> {
  const { hostname, tunnelId, dnsRecordId, relayAuthenticator } = progress
  return change(tx, claimed, { hostname, tunnelId, dnsRecordId, relayAuthenticator, updatedAtMs: now })
}

/** Makes it active and its authorization approved. False where something is missing. Throws `ConnectStoreError`. */
export async function completeProvisioning(
  tx: WriteTransaction,
  { id, claimToken }: Omit<Claimed, 'status'>,
  credentialCiphertext: string,
  now: number,
): Promise<boolean> {
  const row = await requireEnvironment(tx, id)
  if (row.status !== 'provisioning' || row.claimToken !== claimToken) return false
  if (!row.authorizationId || row.hostname === '' || row.tunnelId === '' || row.dnsRecordId === '') return false
  const { rowsAffected } = await tx.update(authorizations)
    .set({ status: 'approved', credentialCiphertext, updatedAtMs: now })
    .where(and(eq(authorizations.id, row.authorizationId), eq(authorizations.status, 'provisioning')))
  if (rowsAffected !== 1) throw new ConnectStoreError('conflict', 'This connection request was handled already.')
  return change(tx, { id, status: 'provisioning', claimToken }, {
    status: 'active', tunnelSecretCiphertext: null, ...released, nextAttemptAtMs: 0, lifecycleError: null,
    updatedAtMs: now,
  })
}

/** Null outside of the scope, and where there is nothing to revoke; not claimed where another has it, or it is done. */
export async function beginRevocation(
  tx: WriteTransaction,
  { environmentId, scope, ...claim }: BeginRevocation,
): Promise<{ claimed: boolean, environment: ConnectEnvironmentRecord } | null> {
  const row = await tx.select().from(environments).where(and(eq(environments.id, environmentId), isWithin(scope))).get()
  if (!row || row.status === 'provisioning' || row.status === 'error') return null
  const isOthers = row.status === 'revoking' && row.claimedUntilMs !== null && row.claimedUntilMs > claim.now
  if (row.status === 'revoked' || isOthers) return { claimed: false, environment: toEnvironment(row) }
  return { claimed: true, environment: await startRevoking(tx, environmentId, claim, null) }
}

/** Null without the claim. Throws `authorization_unavailable` for an unknown id. */
export async function abandonProvisioning(
  tx: WriteTransaction,
  { id, claimToken }: Omit<Claimed, 'status'>,
  now: number,
): Promise<ConnectEnvironmentRecord | null> {
  const row = await requireEnvironment(tx, id)
  const isAbandoned = await change(tx, { id, status: 'provisioning', claimToken }, {
    ...withoutSecrets, status: 'revoking', nextAttemptAtMs: now, lifecycleError: 'Provisioning deadline expired.',
    updatedAtMs: now,
  })
  if (!isAbandoned) return null
  await expireAuthorizations(tx, row, ['provisioning'], now)
  return toEnvironment(await requireEnvironment(tx, id))
}

/** Ends the environment. False without the claim. */
export async function completeRevocation(
  tx: WriteTransaction,
  { id, claimToken }: Omit<Claimed, 'status'>,
  now: number,
): Promise<boolean> {
  const isRevoked = await change(tx, { id, status: 'revoking', claimToken }, {
    ...gone, revokedAtMs: now, updatedAtMs: now,
  })
  if (!isRevoked) return false
  await expireAuthorizations(tx, await requireEnvironment(tx, id), ['provisioning', 'approved', 'delivering'], now)
  return true
}

/** Releases the claim until the next attempt. False without the claim. */
export async function recordFailure(
  tx: WriteTransaction,
  claimed: Claimed,
  { error, nextAttemptAt, now }: { error: string, nextAttemptAt: number, now: number },
): Promise<boolean> {
  return change(tx, claimed, {
    attempts: sql`${environments.attempts} + 1`, nextAttemptAtMs: nextAttemptAt, ...released,
    lifecycleError: error.slice(0, maxErrorLength), updatedAtMs: now,
  })
}

const released = { claimToken: null, claimedUntilMs: null }

/** In the statement's text: with a parameter SQLite does not know that a partial index fits. */
const isUnclaimed = sql`status = 'active' and activation_claimed_at_ms is null`
const isWork = sql`status in ('provisioning', 'revoking')`

async function claimUnclaimed(tx: WriteTransaction, claim: Claim): Promise<ConnectEnvironmentRecord | undefined> {
  const row = await tx.select({ id: environments.id }).from(environments)
    .where(and(isUnclaimed, lte(environments.activationDeadlineMs, claim.now)))
    .orderBy(asc(environments.activationDeadlineMs), asc(environments.id)).limit(1).get()
  return row && startRevoking(tx, row.id, claim, 'Activation deadline expired.')
}

async function claimDue(
  tx: WriteTransaction,
  { claimToken, claimUntil, now }: Claim,
): Promise<ConnectEnvironmentRecord | null> {
  const { id, nextAttemptAtMs, claimedUntilMs, createdAtMs } = environments
  const due = await tx.select({ id }).from(environments)
    .where(and(isWork, lte(nextAttemptAtMs, now), or(isNull(claimedUntilMs), lte(claimedUntilMs, now))))
    .orderBy(asc(nextAttemptAtMs), asc(createdAtMs), asc(id)).limit(1).get()
  if (!due) return null
  const [row] = await tx.update(environments).set({ claimToken, claimedUntilMs: claimUntil, updatedAtMs: now })
    .where(eq(id, due.id)).returning()
  return toEnvironment(row!)
}

/** Its names stay: they are the work to do. */
async function startRevoking(
  tx: WriteTransaction,
  id: string,
  { claimToken, claimUntil, now }: Claim,
  lifecycleError: string | null,
): Promise<ConnectEnvironmentRecord> {
  await expireAuthorizations(tx, { environmentId: id }, unfinished, now)
  const [row] = await tx.update(environments).set({
    ...withoutSecrets, status: 'revoking', claimToken, claimedUntilMs: claimUntil, nextAttemptAtMs: now, lifecycleError,
    updatedAtMs: now,
  }).where(eq(environments.id, id)).returning()
  return toEnvironment(row!)
}

/** The end of the claim does not matter: until somebody else takes the work, it is the token's. */
async function change(
  tx: WriteTransaction,
  { id, status, claimToken }: Claimed,
  values: SQLiteUpdateSetSource<typeof environments>,
): Promise<boolean> {
  const { rowsAffected } = await tx.update(environments).set(values)
    .where(and(eq(environments.id, id), eq(environments.status, status), eq(environments.claimToken, claimToken)))
  return rowsAffected === 1
}

async function requireEnvironment(tx: WriteTransaction, id: string): Promise<EnvironmentRow> {
  const row = await tx.select().from(environments).where(eq(environments.id, id)).get()
  if (!row) throw new ConnectStoreError('authorization_unavailable', 'This environment is not known.')
  return row
}
