/**
 * Users and the accounts they sign in with. A known account is one indexed read and no write; an unknown one
 * becomes exactly one user, however many first requests arrive at once (the writer takes them one by one and each
 * looks again before it inserts).
 */
import { randomUUID } from 'node:crypto'
import { eq, sql } from 'drizzle-orm'
import type { SyncDatabase, WriteTransaction } from '../database/types.ts'
import { users } from '../database/schema/index.ts'
import { compileSql, readRows } from '../database/statement.ts'
import { createSyncError } from '../errors.ts'
import { nowSeconds } from '../lib/clock.ts'
import type { AccountInput, AccountRef, StoreUser } from './store/types.ts'
import { isId } from '../lib/storable-text.ts'
import { maxDisplayNameLength, maxEmailLength, mendText } from './text.ts'

export interface Profile { email?: string | undefined, displayName?: string | undefined }
interface UserRow { id: string, email: string | null, displayName: string | null }

const selectByAccount = compileSql<AccountRef, UserRow>(value => sql`
  select u.id as id, u.email as email, u.display_name as "displayName" from auth_accounts a
  cross join users u on u.id = a.user_id
  where a.provider = ${value('provider')} and a.provider_user_id = ${value('providerUserId')}
  limit 1`)

interface NewUser extends AccountRef {
  userId: string
  email: string | null
  displayName: string | null
  createdAt: number
}

/** For an account that has no user. */
const insertUser = compileSql<NewUser>(value => sql`
  insert into users (id, email, display_name, created_at)
  select ${value('userId')}, ${value('email')}, ${value('displayName')}, ${value('createdAt')}
  where not exists (
    select 1 from auth_accounts where provider = ${value('provider')}
      and provider_user_id = ${value('providerUserId')})`)

const insertAccount = compileSql<AccountRef & { userId: string, createdAt: number }>(value => sql`
  insert into auth_accounts (provider, provider_user_id, user_id, created_at)
  values (${value('provider')}, ${value('providerUserId')}, ${value('userId')}, ${value('createdAt')})`)

/** The user of that account, or null. */
export async function getUser(database: SyncDatabase, input: AccountRef): Promise<StoreUser | null> {
  const { provider, providerUserId } = readAccount(input)
  const [user] = await readRows(database.read.$client, selectByAccount({ provider, providerUserId }))
  if (!user) return null
  return { userId: user.id, email: user.email ?? undefined, displayName: user.displayName ?? undefined }
}

/** The account's user, made at the first call; a given, different email or name is taken over. */
export async function getOrCreateUser(database: SyncDatabase, input: AccountInput): Promise<{ userId: string }> {
  const account = readAccount(input)
  const profile = readProfile(input)
  const [known] = await readRows(database.read.$client, selectByAccount(account))
  if (known && !differs(known, profile)) return { userId: known.id }
  const { userId } = await database.write(tx => ensureUser(tx, account, profile))
  return { userId }
}

/** Within a transaction: finds or makes the account's user and takes the profile over. */
export async function ensureUser(
  tx: WriteTransaction,
  account: AccountRef,
  profile: Profile,
): Promise<{ userId: string, created: boolean }> {
  const { email = null, displayName = null } = profile
  const user = { ...account, userId: randomUUID(), email, displayName, createdAt: nowSeconds() }
  const { rowsAffected } = await tx.execute(insertUser(user))
  if (rowsAffected > 0) {
    await tx.execute(insertAccount(user))
    return { userId: user.userId, created: true }
  }
  const [known] = await readRows(tx, selectByAccount(account))
  if (differs(known!, profile)) await tx.update(users).set(profile).where(eq(users.id, known!.id))
  return { userId: known!.id, created: false }
}

/** Within a transaction. Throws NOT_FOUND. */
export async function requireUser(tx: WriteTransaction, userId: string): Promise<void> {
  const user = await tx.select({ id: users.id }).from(users).where(eq(users.id, userId)).get()
  if (!user) throw noSuchUser()
}

/** The error for a user that is not there. */
export function noSuchUser() {
  return createSyncError('NOT_FOUND', 'No such user.')
}

/** The account's ids, or INVALID_REQUEST: an id that does not read back as it was written could be another's. */
export function readAccount({ provider, providerUserId }: AccountRef): AccountRef {
  if (isId(provider) && isId(providerUserId)) return { provider, providerUserId }
  throw createSyncError('INVALID_REQUEST', 'A provider and its user id are 1 to 256 characters of well-formed text.')
}

/** Only what was given: a provider that says nothing about a name does not erase it. */
export function readProfile(input: {
  email?: string | null | undefined
  displayName?: string | null | undefined
}): Profile {
  const profile: Profile = {}
  const email = mendText(input.email, maxEmailLength)
  const displayName = mendText(input.displayName, maxDisplayNameLength)
  if (email !== undefined) profile.email = email
  if (displayName !== undefined) profile.displayName = displayName
  return profile
}

/** True where the profile says something else than is stored. */
export function differs(user: Omit<UserRow, 'id'>, profile: Profile): boolean {
  return (profile.email !== undefined && profile.email !== user.email)
    || (profile.displayName !== undefined && profile.displayName !== user.displayName)
}
