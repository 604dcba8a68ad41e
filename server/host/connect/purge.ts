/** Removes Connect records that ended long ago: the oldest first, at most `batchSize` of each kind. */
import { asc, inArray, sql, type SQL } from 'drizzle-orm'
import type { WriteTransaction } from '../../database/types.ts'
import {
  connectAuthorizations as authorizations, connectEnvironments as environments,
} from '../../database/schema/index.ts'
import { createSyncError } from '../../errors.ts'
import type { PurgeConnect } from './types.ts'

const maxBatchSize = 500

/** Answers how many of each were removed. Throws INVALID_REQUEST where the batch size is no positive whole number. */
export async function purge(
  tx: WriteTransaction,
  input: PurgeConnect,
): Promise<{ authorizations: number, environments: number }> {
  const { authorizationUpdatedBefore, revokedEnvironmentUpdatedBefore, batchSize } = input
  if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
    throw createSyncError('INVALID_REQUEST', 'The batch size must be a positive whole number.')
  }
  const limit = Math.min(batchSize, maxBatchSize)
  const isOver = sql`status in ('denied', 'consumed', 'expired') and updated_at_ms <= ${authorizationUpdatedBefore}`
  const isRevoked = sql`status = 'revoked' and updated_at_ms <= ${revokedEnvironmentUpdatedBefore}`
  return {
    authorizations: await removeOldest(tx, authorizations, isOver, limit),
    environments: await removeOldest(tx, environments, isRevoked, limit),
  }
}

async function removeOldest(
  tx: WriteTransaction,
  table: typeof authorizations | typeof environments,
  where: SQL,
  limit: number,
) {
  const oldest = tx.select({ id: table.id }).from(table).where(where)
    .orderBy(asc(table.updatedAtMs), asc(table.id)).limit(limit)
  const { rowsAffected } = await tx.delete(table).where(inArray(table.id, oldest))
  return rowsAffected
}
