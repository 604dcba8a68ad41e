// shared/tables.ts: one definition for the server and the browser
import { z } from 'zod'
import { defineSyncedTable } from 'or3-layer-sqlite/shared'

export const todos = defineSyncedTable('todos', {
  primaryKey: 'id',
  schema: z.looseObject({
    id: z.string(), text: z.string(), done: z.boolean(),
    due_at: z.number().optional(), overdue: z.boolean().optional(),
  }),
})

export const orders = defineSyncedTable('orders', {
  primaryKey: 'id',
  schema: z.looseObject({ id: z.string(), status: z.enum(['open', 'paid']) }),
})

export const answers = defineSyncedTable('answers', {
  primaryKey: 'id',
  schema: z.looseObject({ id: z.string(), text: z.string(), pending: z.boolean(), error: z.string().optional() }),
})
