/** Finds users for an administrator: part of an address or a name, or a whole id, ours or the auth provider's. */
import { asc, eq, exists, or, sql, type SQL } from 'drizzle-orm'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import type { SyncDatabase } from '../../database/types.ts'
import { authAccounts, users } from '../../database/schema/index.ts'
import type { FoundUser, UserSearch } from './types.ts'

const defaultLimit = 20
/** More than an administrator reads. */
const maxLimit = 100

/** At most 100 users, by address. */
export async function searchUsers(
  database: SyncDatabase,
  { query, limit = defaultLimit }: UserSearch,
): Promise<FoundUser[]> {
  const text = query.trim()
  const hasAccount = exists(database.read.select({ found: sql`1` }).from(authAccounts)
    .where(sql`${authAccounts.userId} = ${users.id} and ${authAccounts.providerUserId} = ${text}`))
  const rows = await database.read
    .select({ userId: users.id, email: users.email, displayName: users.displayName })
    .from(users)
    .where(or(contains(users.email, text), contains(users.displayName, text), eq(users.id, text), hasAccount))
    .orderBy(asc(users.email), asc(users.createdAt))
    .limit(Math.min(Math.max(1, Math.trunc(limit) || defaultLimit), maxLimit))
  return rows.map(toFoundUser)
}

interface UserRow { userId: string, email: string | null, displayName: string | null }

/** Without the fields that are not known. */
export function toFoundUser({ userId, email, displayName }: UserRow): FoundUser {
  return { userId, email: email ?? undefined, displayName: displayName ?? undefined }
}

/** A condition: the column contains the text, ASCII letters in any case. `%` and `_` mean themselves. */
export function contains(column: SQLiteColumn, text: string): SQL {
  const pattern = `%${text.replaceAll(/[\\%_]/g, character => `\\${character}`)}%`
  return sql`${column} like ${pattern} escape '\\'`
}
