/**
 * Who is who: users, the accounts they sign in with, workspaces, memberships and invites.
 * A workspace's owners are its members with role `owner`; no second column says so.
 * All moments are epoch seconds, as the host's contract has them.
 */
import { sql } from 'drizzle-orm'
import { check, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

export const users = sqliteTable('users', {
  id: text('id').primaryKey(),
  email: text('email'),
  displayName: text('display_name'),
  activeWorkspaceId: text('active_workspace_id').references(() => workspaces.id, { onDelete: 'set null' }),
  createdAt: integer('created_at').notNull(),
}, table => [
  // Removing a workspace looks up everyone whose active one it was.
  index('users_active_workspace').on(table.activeWorkspaceId),
])

export const authAccounts = sqliteTable('auth_accounts', {
  provider: text('provider').notNull(),
  providerUserId: text('provider_user_id').notNull(),
  userId: text('user_id').notNull().references(() => users.id, { onDelete: 'cascade' }),
  createdAt: integer('created_at').notNull(),
}, table => [
  primaryKey({ columns: [table.provider, table.providerUserId] }),
])

export const workspaces = sqliteTable('workspaces', {
  id: text('id').primaryKey(),
  name: text('name').notNull(),
  description: text('description'),
  createdAt: integer('created_at').notNull(),
  deletedAt: integer('deleted_at'),
})

export const workspaceMembers = sqliteTable('workspace_members', {
  workspaceId: text('workspace_id').notNull().references(() => workspaces.id, { onDelete: 'cascade' }),
  userId: text('user_id').notNull().references(() => users.id, { onDelete: 'cascade' }),
  role: text('role', { enum: ['owner', 'editor', 'viewer'] }).notNull(),
  createdAt: integer('created_at').notNull(),
}, table => [
  primaryKey({ columns: [table.workspaceId, table.userId] }),
  // "My workspaces, oldest membership first."
  index('workspace_members_user').on(table.userId, table.createdAt),
  check('workspace_members_role', sql`${table.role} in ('owner', 'editor', 'viewer')`),
])

/** A link that lets in whoever has it, some number of times. */
export const inviteLinks = sqliteTable('invite_links', {
  workspaceId: text('workspace_id').notNull().references(() => workspaces.id, { onDelete: 'cascade' }),
  id: text('id').notNull(),
  role: text('role', { enum: ['owner', 'editor', 'viewer'] }).notNull(),
  /** A hash only: the token itself is never stored. */
  tokenHash: text('token_hash').notNull(),
  createdByUserId: text('created_by_user_id').notNull(),
  maxUses: integer('max_uses').notNull(),
  uses: integer('uses').notNull(),
  expiresAt: integer('expires_at').notNull(),
  revokedAt: integer('revoked_at'),
  createdAt: integer('created_at').notNull(),
}, table => [
  primaryKey({ columns: [table.workspaceId, table.id] }),
  uniqueIndex('invite_links_token').on(table.workspaceId, table.tokenHash),
])

export const invites = sqliteTable('invites', {
  workspaceId: text('workspace_id').notNull().references(() => workspaces.id, { onDelete: 'cascade' }),
  id: text('id').notNull(),
  /** Trimmed and lower-case. */
  email: text('email').notNull(),
  role: text('role', { enum: ['owner', 'editor', 'viewer'] }).notNull(),
  status: text('status', { enum: ['pending', 'accepted', 'revoked', 'expired'] }).notNull(),
  invitedByUserId: text('invited_by_user_id').notNull(),
  /** A hash only: the token itself is never stored. */
  tokenHash: text('token_hash').notNull(),
  expiresAt: integer('expires_at').notNull(),
  acceptedAt: integer('accepted_at'),
  acceptedUserId: text('accepted_user_id'),
  revokedAt: integer('revoked_at'),
  createdAt: integer('created_at').notNull(),
  updatedAt: integer('updated_at').notNull(),
}, table => [
  primaryKey({ columns: [table.workspaceId, table.id] }),
  uniqueIndex('invites_token').on(table.workspaceId, table.tokenHash),
])
