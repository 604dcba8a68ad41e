/**
 * Users, accounts, workspaces, members, invites, admins, settings and reserved uploads: copied as they are, ids and
 * moments kept. What refers to nothing is left behind and counted; a workspace without an owner gets its own back.
 */
import { sql } from 'drizzle-orm'
import { workspaceRoles } from '../../server/auth/roles.ts'
import { isId } from '../../server/lib/storable-text.ts'
import { normalizeEmail } from '../../server/workspaces/text.ts'
import { nowSeconds } from '../../server/lib/clock.ts'
import type { SyncDatabase } from '../../server/database/types.ts'
import { inBatches } from './batches.ts'
import type { ImportReport } from './report.ts'
import type { Source } from './source.ts'

type Row = Record<string, unknown>

/** How a table is copied. Its columns have the same names in both databases. */
interface Copy {
  from: string
  into: string
  columns: readonly string[]
  /** A condition on the users and workspaces that a row refers to. */
  where?: string
  isUsable?: (row: Row) => boolean
  mend?: (row: Row) => Row
  /** Further old columns that `isUsable` and `mend` read. */
  also?: readonly string[]
}

const ofUser = `value ->> 'user_id' in (select id from users)`
const ofWorkspace = `value ->> 'workspace_id' in (select id from workspaces)`
const inviteStatuses = ['pending', 'accepted', 'revoked', 'expired']
const isRole = (value: unknown) => workspaceRoles.some(role => role === value)

const copies: readonly Copy[] = [
  {
    from: 'users', into: 'users', columns: ['id', 'email', 'display_name', 'created_at'],
    isUsable: row => isId(row['id']),
  },
  {
    from: 'auth_accounts', into: 'auth_accounts', columns: ['user_id', 'provider', 'provider_user_id', 'created_at'],
    where: ofUser, isUsable: row => isId(row['provider']) && isId(row['provider_user_id']),
  },
  {
    from: 'workspaces', into: 'workspaces', columns: ['id', 'name', 'description', 'created_at', 'deleted_at'],
    isUsable: row => isId(row['id']), also: ['deleted'],
    mend: row => ({ ...row, deleted_at: row['deleted'] ? row['deleted_at'] ?? nowSeconds() : null }),
  },
  {
    from: 'workspace_members', into: 'workspace_members', columns: ['workspace_id', 'user_id', 'role', 'created_at'],
    where: `${ofUser} and ${ofWorkspace}`, isUsable: row => isRole(row['role']),
  },
  {
    from: 'auth_invites', into: 'invites',
    columns: [
      'id', 'workspace_id', 'email', 'role', 'status', 'invited_by_user_id', 'token_hash', 'expires_at',
      'accepted_at', 'accepted_user_id', 'revoked_at', 'created_at', 'updated_at',
    ],
    where: ofWorkspace, isUsable: row => isRole(row['role']) && inviteStatuses.includes(String(row['status'])),
    mend: row => ({ ...row, email: normalizeEmail(String(row['email'])) }),
  },
  { from: 'admin_users', into: 'admin_users', columns: ['user_id', 'created_at', 'created_by_user_id'], where: ofUser },
  {
    from: 'admin_workspace_settings', into: 'workspace_settings',
    columns: ['workspace_id', 'key', 'value', 'updated_at'],
  },
  {
    from: 'upload_intents', into: 'upload_intents', also: ['status'],
    columns: [
      'id', 'workspace_id', 'hash', 'mime_type', 'size_bytes', 'expires_at', 'storage_id', 'created_at', 'consumed_at',
    ],
    // What was cancelled or has expired holds no place.
    isUsable: row => row['status'] === 'consumed'
      || (row['status'] === 'active' && Number(row['expires_at']) > nowSeconds()),
  },
]

export const peopleTables = copies.map(copy => copy.from)

/** `onRows` hears how many rows were read. */
export async function importPeople(
  database: SyncDatabase,
  source: Source,
  report: ImportReport,
  onRows: (count: number) => void,
): Promise<void> {
  for (const copy of copies) {
    const rows = source.rows(copy.from, [...copy.columns, ...copy.also ?? []])
    const count = { read: 0, written: 0 }
    for (const batch of inBatches(rows)) {
      const usable = batch.filter(row => copy.isUsable?.(row) ?? true).map(row => copy.mend?.(row) ?? row)
      count.read += batch.length
      count.written += await writeRows(database, copy, usable)
      onRows(batch.length)
    }
    report.tables.push({ name: copy.from, ...count })
  }
  for (const batch of inBatches(source.rows('workspaces', ['id', 'owner_user_id']))) {
    report.ownersRestored += await restoreOwners(database, batch)
  }
  for (const batch of inBatches(source.rows('users', ['id', 'active_workspace_id']))) {
    await pointAtActive(database, batch)
  }
}

async function writeRows(
  database: SyncDatabase,
  { into, columns, where = 'true' }: Copy,
  rows: Row[],
): Promise<number> {
  const values = columns.map(column => `value ->> '${column}'`).join(', ')
  const { rowsAffected } = await database.write(tx => tx.run(sql`
    insert or ignore into ${sql.raw(`${into} (${columns.join(', ')}) select ${values}`)}
    from json_each(${JSON.stringify(rows)}) where ${sql.raw(where)}`))
  return rowsAffected
}

/** Here a workspace's owners are its members with that role; the old database also named one beside them. */
async function restoreOwners(database: SyncDatabase, workspaces: Row[]): Promise<number> {
  const { rowsAffected } = await database.write(tx => tx.run(sql`
    insert into workspace_members (workspace_id, user_id, role, created_at)
    select w.id, u.id, 'owner', w.created_at from json_each(${JSON.stringify(workspaces)}) o
    cross join workspaces w on w.id = o.value ->> 'id'
    cross join users u on u.id = o.value ->> 'owner_user_id'
    where not exists (select 1 from workspace_members m where m.workspace_id = w.id and m.role = 'owner')
    on conflict (workspace_id, user_id) do update set role = 'owner'`))
  return rowsAffected
}

async function pointAtActive(database: SyncDatabase, users: Row[]): Promise<void> {
  await database.write(tx => tx.run(sql`
    update users set active_workspace_id = active.workspace_id from (
      select m.user_id, m.workspace_id from json_each(${JSON.stringify(users)}) u
      cross join workspace_members m on m.user_id = u.value ->> 'id'
        and m.workspace_id = u.value ->> 'active_workspace_id'
      cross join workspaces w on w.id = m.workspace_id and w.deleted_at is null) as active
    where users.id = active.user_id`))
}
