/**
 * Workspaces and which of them is a user's active one. The pointer names a living workspace the user is a member
 * of, or nothing. A transaction that ends a membership or a workspace moves it too.
 * A deleted workspace keeps its rows and is gone for everybody.
 */
import { randomUUID } from 'node:crypto'
import { desc, eq, sql } from 'drizzle-orm'
import type { SyncDatabase, WriteTransaction } from '../database/types.ts'
import { users, workspaceMembers, workspaces } from '../database/schema/index.ts'
import { compileSql, readRows } from '../database/statement.ts'
import { createSyncError } from '../errors.ts'
import { readNow } from '../database/read-now.ts'
import { nowSeconds } from '../lib/clock.ts'
import { nameWorkspace, plainName } from './default-name.ts'
import { isLivingWorkspaceOfMember, moveActiveAway, requireRole } from './membership.ts'
import { rightsChanges } from './rights-changes.ts'
import type { DefaultWorkspace, WorkspaceListItem, WorkspaceRef } from './store/types.ts'
import { readDescription, readWorkspaceName } from './text.ts'
import { noSuchUser, requireUser } from './users.ts'

/**
 * More than one person can use. A user's workspaces are read at once, and 50,000 stopped the event loop for seconds.
 */
const maxOwnedWorkspaces = 1000

const selectActive = compileSql<{ userId: string }, Omit<DefaultWorkspace, 'created'>>(value => sql`
  select w.id as "workspaceId", w.name as "workspaceName" from users u
  cross join workspaces w on w.id = u.active_workspace_id and w.deleted_at is null
  cross join workspace_members m on m.workspace_id = w.id and m.user_id = u.id
  where u.id = ${value('userId')}
  limit 1`)

/**
 * The active workspace; else the oldest membership, made active; else a new one, named by `pattern`
 * (default-name.ts). Throws NOT_FOUND for no user.
 */
export async function getOrCreateDefaultWorkspace(
  database: SyncDatabase, userId: string, pattern: string = plainName,
): Promise<DefaultWorkspace> {
  const [active] = await readRows(database.read.$client, selectActive({ userId }))
  if (active) return { ...active, created: false }
  return database.write(tx => ensureActiveWorkspace(tx, userId, pattern))
}

/** For a user who is in no workspace. */
const insertFirst = compileSql<NewWorkspace>(value => sql`
  insert into workspaces (id, name, created_at)
  select ${value('id')}, ${value('name')}, ${value('createdAt')} from users u
  where u.id = ${value('userId')} and not exists (
    select 1 from workspace_members m cross join workspaces w on w.id = m.workspace_id and w.deleted_at is null
    where m.user_id = u.id)`)

/** The active workspace, else the one of the oldest membership. */
const selectBest = compileSql<{ userId: string }, { workspaceId: string, workspaceName: string }>(value => sql`
  select w.id as "workspaceId", w.name as "workspaceName" from users u
  cross join workspace_members m on m.user_id = u.id
  cross join workspaces w on w.id = m.workspace_id and w.deleted_at is null
  where u.id = ${value('userId')}
  order by w.id is not u.active_workspace_id, m.created_at, m.rowid
  limit 1`)

const activate = compileSql<WorkspaceRef>(value => sql`
  update users set active_workspace_id = ${value('workspaceId')} where id = ${value('userId')}`)

async function ensureActiveWorkspace(tx: WriteTransaction, userId: string, pattern: string): Promise<DefaultWorkspace> {
  const name = pattern === plainName ? plainName : nameWorkspace(pattern, await readOwner(tx, userId))
  const first = { id: randomUUID(), userId, name, createdAt: nowSeconds() }
  const { rowsAffected } = await tx.execute(insertFirst(first))
  const created = rowsAffected > 0
  if (created) await tx.execute(insertOwner(first))
  const { workspaceId, workspaceName } = created
    ? { workspaceId: first.id, workspaceName: first.name }
    : await findBest(tx, userId)
  await tx.execute(activate({ userId, workspaceId }))
  return { workspaceId, workspaceName, created }
}

async function readOwner(tx: WriteTransaction, userId: string) {
  return tx.select({ email: users.email, displayName: users.displayName }).from(users).where(eq(users.id, userId)).get()
}

async function findBest(tx: WriteTransaction, userId: string) {
  const [best] = await readRows(tx, selectBest({ userId }))
  if (!best) throw noSuchUser()
  return best
}

/** Newest first. */
export async function listUserWorkspaces(
  database: SyncDatabase,
  userId: string,
): Promise<Required<WorkspaceListItem>[]> {
  const rows = await database.read
    .select({
      id: workspaces.id,
      name: workspaces.name,
      description: workspaces.description,
      role: workspaceMembers.role,
      createdAt: workspaces.createdAt,
      activeWorkspaceId: users.activeWorkspaceId,
    })
    .from(workspaceMembers)
    .innerJoin(workspaces, isLivingWorkspaceOfMember())
    .innerJoin(users, eq(users.id, workspaceMembers.userId))
    .where(eq(workspaceMembers.userId, userId))
    .orderBy(desc(workspaces.createdAt), desc(sql`${workspaces}.rowid`))
  return rows.map(({ activeWorkspaceId, ...row }) => ({ ...row, isActive: row.id === activeWorkspaceId }))
}

/**
 * The creator becomes owner; the active workspace stays what it was. Throws INVALID_REQUEST, NOT_FOUND, and CONFLICT
 * where the user owns too many.
 */
export async function createWorkspace(
  database: SyncDatabase,
  input: { userId: string, name: string, description?: string | null | undefined },
): Promise<{ workspaceId: string }> {
  const name = readWorkspaceName(input.name)
  const description = readDescription(input.description) ?? null
  return database.write(async (tx) => {
    await requireUser(tx, input.userId)
    await refuseTooMany(tx, input.userId)
    return { workspaceId: await insertWorkspace(tx, { userId: input.userId, name, description }) }
  })
}

/**
 * Counts among the newest 5,000 memberships only. Those of deleted workspaces stay, and reading 50,000 held the writer
 * for 0.1 s. Evading the limit costs thousands of creates and deletes.
 */
const selectOwned = compileSql<{ userId: string }, { count: number }>(value => sql`
  select count(*) as count from (
    select workspace_id, role from workspace_members where user_id = ${value('userId')}
      order by created_at desc limit 5000) m
  cross join workspaces w on w.id = m.workspace_id and w.deleted_at is null
  where m.role = 'owner'`)

async function refuseTooMany(tx: WriteTransaction, userId: string): Promise<void> {
  const [owned] = await readRows(tx, selectOwned({ userId }))
  if (owned!.count < maxOwnedWorkspaces) return
  throw createSyncError('CONFLICT', `One user owns at most ${maxOwnedWorkspaces} workspaces: delete one first.`)
}

/** Owners and editors; a description of undefined stays. Throws INVALID_REQUEST, NOT_FOUND, FORBIDDEN. */
export async function updateWorkspace(
  database: SyncDatabase,
  input: WorkspaceRef & { name: string, description?: string | null | undefined },
): Promise<void> {
  const values = { name: readWorkspaceName(input.name), description: readDescription(input.description) }
  await database.write(async (tx) => {
    await requireRole(tx, input, 'editor', 'Only an owner or an editor may change a workspace.')
    await tx.update(workspaces).set(values).where(eq(workspaces.id, input.workspaceId))
  })
}

/** Owners. Everyone whose active workspace it was goes on in their oldest other one. Throws NOT_FOUND, FORBIDDEN. */
export async function removeWorkspace(database: SyncDatabase, input: WorkspaceRef): Promise<void> {
  const deletedAt = await readNow(database)
  await database.write(async (tx) => {
    await requireRole(tx, input, 'owner', 'Only an owner may delete a workspace.')
    await tx.update(workspaces).set({ deletedAt }).where(eq(workspaces.id, input.workspaceId))
    await moveActiveAway(tx, input.workspaceId)
  })
  rightsChanges.tell({ workspaceId: input.workspaceId })
}

/** Throws NOT_FOUND where the user is no member, or the workspace is deleted. */
export async function setActiveWorkspace(database: SyncDatabase, input: WorkspaceRef): Promise<void> {
  await database.write(async (tx) => {
    await requireRole(tx, input, 'viewer')
    await tx.execute(activate(input))
  })
}

interface NewWorkspace { id: string, userId: string, name: string, createdAt: number }

const insertOne = compileSql<{ id: string, name: string, description: string | null, createdAt: number }>(value => sql`
  insert into workspaces (id, name, description, created_at)
  values (${value('id')}, ${value('name')}, ${value('description')}, ${value('createdAt')})`)

const insertOwner = compileSql<Omit<NewWorkspace, 'name'>>(value => sql`
  insert into workspace_members (workspace_id, user_id, role, created_at)
  values (${value('id')}, ${value('userId')}, 'owner', ${value('createdAt')})`)

/** Within a transaction: a new workspace with `userId` as its owner. */
async function insertWorkspace(
  tx: WriteTransaction,
  { userId, name, description }: { userId: string, name: string, description: string | null },
): Promise<string> {
  const id = randomUUID()
  const createdAt = nowSeconds()
  await tx.execute(insertOne({ id, name, description, createdAt }))
  await tx.execute(insertOwner({ id, userId, createdAt }))
  return id
}
