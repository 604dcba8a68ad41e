/**
 * The synced tables of this page, defined once for server and browser: the layer's seven chat tables and one of the
 * app's own.
 */
import { z } from 'zod'
import type { JsonObject } from '../../shared/protocol.ts'
import { defineSyncedTable, type SyncedTable, type WriteStamp } from '../../shared/synced-table.ts'

interface ChatRow { id: string }
interface FileRow { hash: string }

const countRevision = (row: JsonObject, { clock }: WriteStamp) => ({ ...row, clock })
/** Until it has a place in its thread, a message stands where it was written. */
const placeMessage = (row: JsonObject, { clock, hlc }: WriteStamp) => ({ order_key: hlc, ...row, clock })

export const chatTables: SyncedTable[] = [
  defineSyncedTable<ChatRow>('threads', { primaryKey: 'id', fill: countRevision }),
  defineSyncedTable<ChatRow>('messages', { primaryKey: 'id', fill: placeMessage }),
  defineSyncedTable<ChatRow>('projects', { primaryKey: 'id', fill: countRevision }),
  defineSyncedTable<ChatRow>('posts', { primaryKey: 'id', fill: countRevision }),
  defineSyncedTable<ChatRow>('kv', { primaryKey: 'id', fill: countRevision }),
  defineSyncedTable<FileRow>('file_meta', { primaryKey: 'hash', fill: countRevision }),
  defineSyncedTable<ChatRow>('notifications', { primaryKey: 'id', fill: countRevision }),
]

export const notes = defineSyncedTable('notes', {
  primaryKey: 'id',
  schema: z.looseObject({
    id: z.string().min(1),
    text: z.string().max(10_000),
    done: z.boolean(),
    created_at: z.number(),
    updated_at: z.number(),
    clock: z.number().int().nonnegative(),
  }),
  fill: countRevision,
})

export const tables: SyncedTable[] = [...chatTables, notes]
