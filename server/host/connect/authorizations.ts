/**
 * Device authorizations. A ciphertext is there only while one is approved or delivering; a device gets it as often as
 * it asks within one bounded window, and never after.
 */
import { randomUUID } from 'node:crypto'
import { and, desc, eq, gt, inArray, isNull, sql } from 'drizzle-orm'
import type { SyncDatabase, WriteTransaction } from '../../database/types.ts'
import {
  connectAuthorizations as authorizations, connectEnvironments as environments,
} from '../../database/schema/index.ts'
import { createSyncError } from '../../errors.ts'
import { type AuthorizationRow, toAuthorization } from './rows.ts'
import { type ConnectAuthorizationRecord, ConnectStoreError, type CreateAuthorization } from './types.ts'

/** The longest redelivery window; a host's longer one is cut to it. */
const maxRedeliveryMs = 300_000

/** Throws `conflict` while a pending one has the same user code, and for a device code that was used before. */
export async function addAuthorization(tx: WriteTransaction, input: CreateAuthorization): Promise<void> {
  const { deviceCodeHash, userCodeHash, host, expiresAt, now } = input
  const sameCode = await tx.select({ id: authorizations.id }).from(authorizations)
    .where(
      and(
        eq(authorizations.userCodeHash, userCodeHash), eq(authorizations.status, 'pending'),
        gt(authorizations.expiresAtMs, now),
      ),
    )
    .limit(1)
  const sameDevice = await tx.select({ id: authorizations.id }).from(authorizations)
    .where(eq(authorizations.deviceCodeHash, deviceCodeHash)).limit(1)
  if (sameCode.length > 0) throw new ConnectStoreError('conflict', 'This pairing code is in use: make another one.')
  if (sameDevice.length > 0) {
    throw new ConnectStoreError('conflict', 'This device code was used before: make another one.')
  }
  await tx.insert(authorizations).values({
    id: randomUUID(), deviceCodeHash, userCodeHash, status: 'pending', host, expiresAtMs: expiresAt, createdAtMs: now,
    updatedAtMs: now,
  })
}

/** The device's poll: moves the authorization on and answers what the device is to see. Null for an unknown code. */
export async function pollAuthorization(
  tx: WriteTransaction,
  deviceCodeHash: string,
  now: number,
  windowMs: number,
): Promise<ConnectAuthorizationRecord | null> {
  const row = await tx.select().from(authorizations).where(eq(authorizations.deviceCodeHash, deviceCodeHash)).get()
  if (!row) return null
  const isWaiting = row.status === 'pending' || row.status === 'approved'
  if (isWaiting && row.expiresAtMs <= now) return endAuthorization(tx, row, 'expired', now)
  if (row.status === 'approved') {
    const redeliverUntilMs = now + Math.min(windowMs, maxRedeliveryMs)
    await tx.update(authorizations)
      .set({ status: 'delivering', deliveryStartedAtMs: now, redeliverUntilMs, updatedAtMs: now })
      .where(eq(authorizations.id, row.id))
    if (row.environmentId !== null) await noteActivation(tx, row.environmentId, now)
    return toAuthorization(row)
  }
  if (row.status !== 'delivering') return toAuthorization(row)
  const isOpen = row.credentialCiphertext !== null && (row.redeliverUntilMs ?? -Infinity) >= now
  return isOpen ? { ...toAuthorization(row), status: 'approved' } : endAuthorization(tx, row, 'consumed', now)
}

/** Throws INVALID_REQUEST where the window is no positive whole number. */
export function requireWindow(windowMs: number): void {
  if (Number.isSafeInteger(windowMs) && windowMs > 0) return
  throw createSyncError('INVALID_REQUEST', 'The redelivery window must be a positive number of milliseconds.')
}

/** The newest with this user code, unless it has expired or was denied. Changes nothing. */
export async function findByUserCode(
  read: Pick<SyncDatabase['read'], 'select'>,
  userCodeHash: string,
  now: number,
): Promise<ConnectAuthorizationRecord | null> {
  const row = await read.select().from(authorizations).where(eq(authorizations.userCodeHash, userCodeHash))
    .orderBy(desc(authorizations.createdAtMs), sql`rowid desc`).limit(1).get()
  if (!row || row.expiresAtMs <= now || row.status === 'denied' || row.status === 'expired') return null
  return toAuthorization(row)
}

/** False where it is not pending any more. */
export async function denyAuthorization(tx: WriteTransaction, id: string, now: number): Promise<boolean> {
  const { rowsAffected } = await tx.update(authorizations).set({ status: 'denied', updatedAtMs: now })
    .where(isPending(id, now))
  return rowsAffected === 1
}

/** Throws `authorization_unavailable` where it is not pending any more. */
export async function requirePending(tx: WriteTransaction, id: string, now: number): Promise<AuthorizationRow> {
  const row = await tx.select().from(authorizations).where(isPending(id, now)).get()
  if (!row) throw new ConnectStoreError('authorization_unavailable', 'This connection request is no longer available.')
  return row
}

/** Expires the authorizations of an environment, or one by its id, that are in one of `statuses`. */
export async function expireAuthorizations(
  tx: WriteTransaction,
  which: { environmentId: string } | { authorizationId: string | null },
  statuses: readonly AuthorizationRow['status'][],
  now: number,
): Promise<void> {
  const isTheirs = 'environmentId' in which
    ? eq(authorizations.environmentId, which.environmentId)
    : eq(authorizations.id, which.authorizationId ?? '')
  await tx.update(authorizations).set({ ...over('expired'), updatedAtMs: now })
    .where(and(isTheirs, inArray(authorizations.status, statuses)))
}

/** Compare and set. False where the ciphertext is another one by now. */
export async function rotateCredential(
  tx: WriteTransaction,
  id: string,
  expected: string,
  replacement: string,
  now: number,
): Promise<boolean> {
  const { rowsAffected } = await tx.update(authorizations).set({ credentialCiphertext: replacement, updatedAtMs: now })
    .where(and(eq(authorizations.id, id), eq(authorizations.credentialCiphertext, expected)))
  return rowsAffected === 1
}

async function endAuthorization(
  tx: WriteTransaction,
  row: AuthorizationRow,
  status: 'expired' | 'consumed',
  now: number,
): Promise<ConnectAuthorizationRecord> {
  await tx.update(authorizations).set({ ...over(status), updatedAtMs: now }).where(eq(authorizations.id, row.id))
  return toAuthorization({ ...row, ...over(status) })
}

/** Its device has come: the environment need not be active by a deadline any more. */
async function noteActivation(tx: WriteTransaction, environmentId: string, now: number): Promise<void> {
  await tx.update(environments).set({ activationClaimedAtMs: now, activationDeadlineMs: null, updatedAtMs: now })
    .where(
      and(
        eq(environments.id, environmentId), eq(environments.status, 'active'),
        isNull(environments.activationClaimedAtMs),
      ),
    )
}

function over<S extends AuthorizationRow['status']>(status: S) {
  return { status, credentialCiphertext: null }
}

function isPending(id: string, now: number) {
  return and(eq(authorizations.id, id), eq(authorizations.status, 'pending'), gt(authorizations.expiresAtMs, now))
}
