/**
 * Deliveries of webhooks: pending, claimed by one worker, over. A claim is one transaction of the one writer, so no two
 * workers get one delivery. What may be many rows is removed in parts, so that other writes go on.
 */
import { randomUUID } from 'node:crypto'
import { and, asc, desc, eq, gte, inArray, isNull, lt, lte, or, type SQL, sql } from 'drizzle-orm'
import type { SyncDatabase, WriteTransaction } from '../../database/types.ts'
import { webhookDeliveries, webhooks } from '../../database/schema/index.ts'
import { createSyncError } from '../../errors.ts'
import { toDelivery, toDeliveryChange, toDeliveryRow } from './rows.ts'
import type { WebhookDeliveryLog, WebhookDeliveryPatch } from './types.ts'

type Reader = Pick<SyncDatabase['read'], 'select'>

const noClaim = { claimedBy: null, claimedAtMs: null }
/** As text in the statement: with a parameter SQLite does not know that a partial index fits. */
const isPending = sql`status = 'pending'`
const isInFlight = sql`status = 'in_flight'`

/** A page of payloads of 256 KiB; more would keep the writer from others. */
const rowsPerRemoval = 200
const newestFirst = [desc(webhookDeliveries.createdAtMs), sql`rowid desc`]

/** Throws NOT_FOUND where its webhook is gone. */
export async function addDelivery(
  tx: WriteTransaction,
  delivery: Omit<WebhookDeliveryLog, 'id'>,
): Promise<WebhookDeliveryLog> {
  const known = await tx.select({ id: webhooks.id }).from(webhooks).where(eq(webhooks.id, delivery.webhook_id)).get()
  if (!known) throw createSyncError('NOT_FOUND', `Webhook not found: ${delivery.webhook_id}`)
  const [stored] = await tx.insert(webhookDeliveries).values(toDeliveryRow({ ...delivery, id: randomUUID() }))
    .returning()
  return toDelivery(stored!)
}

/** Throws NOT_FOUND, naming the id. */
export async function changeDelivery(
  tx: WriteTransaction,
  deliveryId: string,
  patch: WebhookDeliveryPatch,
): Promise<void> {
  const where = eq(webhookDeliveries.id, deliveryId)
  const known = await tx.select({ status: webhookDeliveries.status }).from(webhookDeliveries).where(where).get()
  if (!known) throw createSyncError('NOT_FOUND', `Webhook delivery not found: ${deliveryId}`)
  const change = toDeliveryChange(patch)
  const isClaimed = (change.status ?? known.status) === 'in_flight'
  const row = { ...change, ...!isClaimed && noClaim }
  if (Object.keys(row).length > 0) await tx.update(webhookDeliveries).set(row).where(where)
}

/** Made at `sinceMs` or later, newest first. */
export async function listDeliveries(read: Reader, webhookId: string, sinceMs: number): Promise<WebhookDeliveryLog[]> {
  const rows = await read.select().from(webhookDeliveries)
    .where(and(eq(webhookDeliveries.webhookId, webhookId), gte(webhookDeliveries.createdAtMs, sinceMs)))
    .orderBy(...newestFirst)
  return rows.map(toDelivery)
}

/** The successful and the failed, newest first; at least one. */
export async function listTerminalDeliveries(
  read: Reader,
  webhookId: string,
  limit: number,
): Promise<WebhookDeliveryLog[]> {
  const rows = await read.select().from(webhookDeliveries)
    .where(and(eq(webhookDeliveries.webhookId, webhookId), inArray(webhookDeliveries.status, ['success', 'failed'])))
    .orderBy(...newestFirst).limit(Math.max(1, wholeNumber(limit)))
  return rows.map(toDelivery)
}

/** What is due goes to `workerId`, the longest due first. */
export async function claimDeliveries(
  tx: WriteTransaction,
  workerId: string,
  limit: number,
  nowMs: number,
): Promise<WebhookDeliveryLog[]> {
  const { nextRetryAtMs, dueAtMs, createdAtMs, id } = webhookDeliveries
  const rows = await tx.select().from(webhookDeliveries)
    .where(and(isPending, or(isNull(nextRetryAtMs), lte(nextRetryAtMs, nowMs))))
    .orderBy(asc(dueAtMs), asc(createdAtMs), sql`rowid`).limit(wholeNumber(limit))
  if (rows.length === 0) return []
  const claim = { status: 'in_flight' as const, claimedBy: workerId, claimedAtMs: nowMs }
  const ids = JSON.stringify(rows.map(row => row.id))
  await tx.update(webhookDeliveries).set(claim).where(sql`${id} in (select value from json_each(${ids}))`)
  return rows.map(row => toDelivery({ ...row, ...claim }))
}

/** Answers how many are pending again. */
export async function resetStale(tx: WriteTransaction, olderThanMs: number, nowMs: number): Promise<number> {
  const { rowsAffected } = await tx.update(webhookDeliveries).set({ status: 'pending', ...noClaim })
    .where(and(isInFlight, lt(webhookDeliveries.claimedAtMs, nowMs - Math.max(0, wholeNumber(olderThanMs)))))
  return rowsAffected
}

/** Answers how many were pending or in flight. */
export async function cancelDeliveries(tx: WriteTransaction, webhookId: string): Promise<number> {
  const { rowsAffected } = await tx.update(webhookDeliveries)
    .set({ status: 'cancelled', nextRetryAtMs: null, ...noClaim })
    .where(and(eq(webhookDeliveries.webhookId, webhookId), inArray(webhookDeliveries.status, ['pending', 'in_flight'])))
  return rowsAffected
}

/** Of one webhook, or older than a moment; answers how many. */
export async function removeDeliveries(
  database: SyncDatabase,
  which: { webhookId: string } | { beforeMs: number },
): Promise<number> {
  const where: SQL = 'webhookId' in which
    ? eq(
        webhookDeliveries.webhookId, which.webhookId,
      )
    : lt(webhookDeliveries.createdAtMs, which.beforeMs)
  for (let removed = 0; ;) {
    const { rowsAffected } = await database.write((tx) => {
      const part = tx.select({ rowid: sql`rowid` }).from(webhookDeliveries).where(where).limit(rowsPerRemoval)
      return tx.delete(webhookDeliveries).where(inArray(sql`rowid`, part))
    })
    removed += rowsAffected
    if (rowsAffected < rowsPerRemoval) return removed
  }
}

/** Within what SQLite takes as a limit; 0 for what is no number. */
function wholeNumber(value: number): number {
  return Math.min(Math.floor(value) || 0, Number.MAX_SAFE_INTEGER)
}
