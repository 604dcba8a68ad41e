/**
 * The whole session of a known user in one query: user, active workspace and role. That is one round trip to a database
 * server. It writes nothing. Where anything is missing or new it answers null, and the caller takes the three steps
 * that write.
 */
import { sql } from 'drizzle-orm'
import { compileSql, readRows } from '../database/statement.ts'
import type { SyncDatabase } from '../database/types.ts'
import type { AccountInput, AccountRef, KnownSession, WorkspaceRole } from './store/types.ts'
import { differs, readAccount, readProfile } from './users.ts'

interface SessionRow {
  id: string
  email: string | null
  displayName: string | null
  workspaceId: string
  workspaceName: string
  role: WorkspaceRole
}

const selectSession = compileSql<AccountRef, SessionRow>(value => sql`
  select u.id as id, u.email as email, u.display_name as "displayName",
    w.id as "workspaceId", w.name as "workspaceName", m.role as role
  from auth_accounts a
  cross join users u on u.id = a.user_id
  cross join workspaces w on w.id = u.active_workspace_id and w.deleted_at is null
  cross join workspace_members m on m.workspace_id = w.id and m.user_id = u.id
  where a.provider = ${value('provider')} and a.provider_user_id = ${value('providerUserId')}
  limit 1`)

/**
 * Null for an account without a user or an active workspace, and where its email or name has changed. Throws
 * INVALID_REQUEST.
 */
export async function findKnownSession(database: SyncDatabase, input: AccountInput): Promise<KnownSession | null> {
  const [row] = await readRows(database.read.$client, selectSession(readAccount(input)))
  if (!row || differs(row, readProfile(input))) return null
  const { id: userId, workspaceId, workspaceName, role } = row
  return { userId, workspaceId, workspaceName, role }
}
