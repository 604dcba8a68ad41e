/** What must hold of users, workspaces and memberships in the database, whatever happened before. */
import { sql } from 'drizzle-orm'
import { expect } from 'vitest'
import type { SyncDatabase } from '../../../server/database/types.ts'

const breaches = {
  'an active pointer to a deleted workspace or one without a membership': sql`
    select u.id from users u where u.active_workspace_id is not null and not exists (
      select 1 from workspace_members m join workspaces w on w.id = m.workspace_id
      where m.user_id = u.id and w.id = u.active_workspace_id and w.deleted_at is null)`,
  'a living workspace without an owner': sql`
    select w.id from workspaces w where w.deleted_at is null and not exists (
      select 1 from workspace_members m where m.workspace_id = w.id and m.role = 'owner')`,
  'a membership without its user or workspace': sql`
    select m.user_id from workspace_members m
    left join users u on u.id = m.user_id left join workspaces w on w.id = m.workspace_id
    where u.id is null or w.id is null`,
  'an account without a user': sql`
    select a.user_id from auth_accounts a left join users u on u.id = a.user_id where u.id is null`,
  'a user without an account': sql`
    select u.id from users u left join auth_accounts a on a.user_id = u.id where a.user_id is null`,
  'an accepted invite nobody accepted': sql`
    select id from invites where (status = 'accepted') <> (accepted_user_id is not null)`,
  'a pending invite its inviter could not make': sql`
    select i.id from invites i left join workspace_members m
      on m.workspace_id = i.workspace_id and m.user_id = i.invited_by_user_id
    where i.status = 'pending' and (m.role is null or m.role = 'viewer' or (m.role = 'editor' and i.role = 'owner'))`,
}

export async function expectInvariants(database: SyncDatabase): Promise<void> {
  const found = await Promise.all(Object.entries(breaches).map(
    async ([name, query]) => [name, await database.read.all(query)] as const,
  ))
  expect(found.filter(([, rows]) => rows.length > 0)).toEqual([])
}

/** How many rows a table has. */
export async function countRows(database: SyncDatabase, table: string): Promise<number> {
  const [row] = await database.read.all<{ n: number }>(sql`select count(*) as n from ${sql.identifier(table)}`)
  return row!.n
}
