/** Webhook registrations: each write is one transaction, the index of custom hooks with it. */
import { randomUUID } from 'node:crypto'
import { and, asc, desc, eq, getTableColumns, isNull, or, sql } from 'drizzle-orm'
import type { SyncDatabase, WriteTransaction } from '../../database/types.ts'
import { webhookCustomHooks, webhooks } from '../../database/schema/index.ts'
import { createSyncError } from '../../errors.ts'
import { toWebhook, toWebhookChange, toWebhookRow } from './rows.ts'
import type { NewWebhook, WebhookPatch, WebhookRegistration, WebhookScope } from './types.ts'

type Reader = Pick<SyncDatabase['read'], 'select' | 'selectDistinct'>

/** Two of one millisecond come in the order in which they were made. */
const newestFirst = [desc(webhooks.createdAtMs), sql`rowid desc`]

/** Stores a new webhook under an id of its own. */
export async function addWebhook(
  tx: WriteTransaction,
  webhook: NewWebhook,
  nowMs: number,
): Promise<WebhookRegistration> {
  const row = toWebhookRow({ ...webhook, id: randomUUID(), health: 'unknown', created_at: nowMs, updated_at: nowMs })
  const [stored] = await tx.insert(webhooks).values(row).returning()
  await indexCustomHooks(tx, row.id, row.customHooks)
  return toWebhook(stored!)
}

/** Throws NOT_FOUND, naming the id. */
export async function changeWebhook(
  tx: WriteTransaction,
  webhookId: string,
  patch: WebhookPatch,
  nowMs: number,
): Promise<WebhookRegistration> {
  const known = await tx.select().from(webhooks).where(eq(webhooks.id, webhookId)).get()
  if (!known) throw createSyncError('NOT_FOUND', `Webhook not found: ${webhookId}`)
  const change = { ...toWebhookChange(patch), updatedAtMs: nowMs }
  const isElsewhere = change.url !== undefined && change.url !== known.url
  const health = isElsewhere ? 'unknown' : known.health
  const [stored] = await tx.update(webhooks).set({ ...change, health }).where(eq(webhooks.id, webhookId)).returning()
  if (change.customHooks) {
    await tx.delete(webhookCustomHooks).where(eq(webhookCustomHooks.webhookId, webhookId))
    await indexCustomHooks(tx, webhookId, change.customHooks)
  }
  return toWebhook(stored!)
}

/** The webhook, or null. */
export async function findWebhook(read: Reader, webhookId: string): Promise<WebhookRegistration | null> {
  const row = await read.select().from(webhooks).where(eq(webhooks.id, webhookId)).get()
  return row ? toWebhook(row) : null
}

/** Of one user in one workspace, newest first. */
export async function listOfUser(read: Reader, userId: string, workspaceId: string): Promise<WebhookRegistration[]> {
  const rows = await read.select().from(webhooks).where(isOfUser(userId, workspaceId)).orderBy(...newestFirst)
  return rows.map(toWebhook)
}

/** Of all administrators, newest first. */
export async function listOfAdmins(read: Reader): Promise<WebhookRegistration[]> {
  const rows = await read.select().from(webhooks).where(eq(webhooks.scope, 'admin')).orderBy(...newestFirst)
  return rows.map(toWebhook)
}

/** The enabled webhooks that want events of this type. Without a workspace only an administrator's may match. */
export async function listByEvent(
  read: Reader,
  eventType: string,
  scope: WebhookScope,
  workspaceId: string | undefined,
): Promise<WebhookRegistration[]> {
  if (!workspaceId && scope === 'user') return []
  const here = workspaceId ? eq(webhooks.workspaceId, workspaceId) : undefined
  const where = scope === 'user' ? here : or(isNull(webhooks.workspaceId), here)
  const rows = await read.select().from(webhooks)
    .where(and(eq(webhooks.scope, scope), eq(webhooks.enabled, true), where))
  return rows.map(toWebhook).filter(webhook => webhook.events.includes(eventType))
}

/** The administrators' enabled webhooks that wait for this hook, of any workspace. */
export async function listByCustomHook(read: Reader, hookName: string): Promise<WebhookRegistration[]> {
  const rows = await read.select(getTableColumns(webhooks)).from(webhookCustomHooks)
    .innerJoin(webhooks, eq(webhooks.id, webhookCustomHooks.webhookId))
    .where(and(eq(webhookCustomHooks.hookName, hookName), isActiveOfAdmin))
  return rows.map(toWebhook)
}

/** The names that some administrator's enabled webhook waits for, ascending. */
export async function listHookNames(read: Reader): Promise<string[]> {
  const rows = await read.selectDistinct({ name: webhookCustomHooks.hookName }).from(webhookCustomHooks)
    .innerJoin(webhooks, eq(webhooks.id, webhookCustomHooks.webhookId))
    .where(isActiveOfAdmin).orderBy(asc(webhookCustomHooks.hookName))
  return rows.map(row => row.name)
}

/** Answers how many were enabled. */
export async function disableOfUser(
  tx: WriteTransaction,
  userId: string,
  workspaceId: string,
  nowMs: number,
): Promise<number> {
  const { rowsAffected } = await tx.update(webhooks).set({ enabled: false, updatedAtMs: nowMs })
    .where(and(isOfUser(userId, workspaceId), eq(webhooks.enabled, true)))
  return rowsAffected
}

const isActiveOfAdmin = and(eq(webhooks.scope, 'admin'), eq(webhooks.enabled, true))

function isOfUser(userId: string, workspaceId: string) {
  return and(eq(webhooks.scope, 'user'), eq(webhooks.userId, userId), eq(webhooks.workspaceId, workspaceId))
}

async function indexCustomHooks(tx: WriteTransaction, webhookId: string, names: readonly string[]): Promise<void> {
  for (const hookName of names) await tx.insert(webhookCustomHooks).values({ webhookId, hookName })
    .onConflictDoNothing()
}
