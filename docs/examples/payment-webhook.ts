// server/api/payments/webhook.post.ts: a payment service tells that an order was paid
import { eq } from 'drizzle-orm'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { createError, defineEventHandler, getRequestHeader, readBody } from 'h3'
import { writeSyncedRows } from '#or3-sync'
import { orders } from './tables.ts'

/** A table of the app's own, in the same file (server/database/schema.ts). */
export const payments = sqliteTable('payments', {
  eventId: text('event_id').primaryKey(),
  orderId: text('order_id').notNull(),
  cents: integer('cents').notNull(),
})

interface PaymentEvent { id: string, workspaceId: string, orderId: string, cents: number }

export default defineEventHandler(async (event) => {
  // The service signs its requests: check that its way, and take the workspace from nowhere else.
  if (getRequestHeader(event, 'x-webhook-secret') !== 'the secret') throw createError({ statusCode: 401 })
  const payment = await readBody<PaymentEvent>(event)
  await writeSyncedRows(payment.workspaceId, async (rows, tx) => {
    // Both or neither: a webhook that comes twice finds its payment, and changes nothing.
    const known = await tx.select().from(payments).where(eq(payments.eventId, payment.id)).get()
    if (known) return
    await tx.insert(payments).values({ eventId: payment.id, orderId: payment.orderId, cents: payment.cents })
    const order = await rows.get(orders, payment.orderId)
    if (order) rows.put(orders, { ...order, status: 'paid' })
  })
  return { received: true }
})
