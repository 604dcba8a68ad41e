/**
 * The user whom an administrator names by an address or an id. An unknown name makes a user whose account has exactly
 * that id, for the person who signs in with it. An address alone never opens an account of another id.
 */
import { and, eq, sql } from 'drizzle-orm'
import { isId } from '../../lib/storable-text.ts'
import { normalizeEmail } from '../../workspaces/text.ts'
import { ensureUser, readProfile } from '../../workspaces/users.ts'
import type { WriteTransaction } from '../../database/types.ts'
import { authAccounts, users } from '../../database/schema/index.ts'
import { createSyncError } from '../../errors.ts'

/** Throws INVALID_REQUEST for an unusable id and CONFLICT where more than one user has the address. */
export async function findOrMakeUser(
  tx: WriteTransaction,
  { emailOrProviderId, provider }: { emailOrProviderId: string, provider: string },
): Promise<string> {
  const given = emailOrProviderId.trim()
  if (!isId(given)) {
    throw createSyncError('INVALID_REQUEST', 'A user is named by an email address or an id of 1 to 256 characters.')
  }
  const account = await tx.select({ userId: authAccounts.userId }).from(authAccounts)
    .where(and(eq(authAccounts.provider, provider), eq(authAccounts.providerUserId, given))).get()
  if (account) return account.userId

  const isAddress = given.includes('@')
  const known = await tx.select({ id: users.id }).from(users)
    .where(isAddress ? sql`lower(${users.email}) = ${normalizeEmail(given)}` : eq(users.id, given)).limit(2)
  if (known.length > 1) {
    throw createSyncError('CONFLICT', 'More than one user has this address: name the user by the id.')
  }
  if (known[0]) return known[0].id
  const profile = isAddress ? readProfile({ email: given }) : {}
  const { userId } = await ensureUser(tx, { provider, providerUserId: given }, profile)
  return userId
}
