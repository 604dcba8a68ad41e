/** What a local write must know about the tables: the key field, and which fields only the replica can fill. */
import type { JsonObject } from './wire.ts'

export const SYNCED_TABLES = ['threads', 'messages', 'projects', 'posts', 'kv', 'file_meta', 'notifications'] as const

export function nameKeyField(tableName: string): 'id' | 'hash' {
  return tableName === 'file_meta' ? 'hash' : 'id'
}

/** Copies a payload as JSON will carry it, with key, clock and a message's place in the order filled in. */
export function completePayload(
  tableName: string,
  pk: string,
  payload: JsonObject,
  stamp: { clock: number, hlc: string },
) {
  const copy = JSON.parse(JSON.stringify(payload)) as JsonObject
  copy[nameKeyField(tableName)] = pk
  copy['clock'] = stamp.clock
  if (tableName === 'messages' && typeof copy['order_key'] !== 'string') copy['order_key'] = stamp.hlc
  return copy
}

export function buildDeletePayload(tableName: string, pk: string, nowMs: number): JsonObject {
  return { [nameKeyField(tableName)]: pk, deleted: true, deleted_at: Math.floor(nowMs / 1000) }
}
