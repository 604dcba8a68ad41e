/**
 * One hash over everything a replica shows: live rows with payload and revision, and tombstones, in key order.
 * Two replicas are equal exactly when their fingerprints are; who holds which server version does not count.
 */
import { compareCodePoints } from './revision.ts'
import { sha256 } from './sha256.ts'
import type { Entry } from './types.ts'

export async function fingerprintEntries(entries: Iterable<Entry>): Promise<string> {
  const sorted = [...entries].sort(
    (a, b) => compareCodePoints(a.tableName, b.tableName) || compareCodePoints(a.pk, b.pk),
  )
  const lines = sorted.map(({ tableName, pk, revision: { clock, hlc, opId }, payload }) =>
    canonicalJson([tableName, pk, clock, hlc, opId, payload ?? null]),
  )
  const bytes = new TextEncoder().encode(lines.join('\n'))
  // Browsers hide `crypto.subtle` on plain http outside localhost, which is how a phone in the same network arrives.
  const digest = globalThis.crypto.subtle
    ? new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', bytes))
    : sha256(bytes)
  return Array.from(digest, byte => byte.toString(16).padStart(2, '0')).join('')
}

/** JSON with sorted keys; what JSON cannot carry is treated as `JSON.stringify` does. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(item => canonicalJson(item)).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null'
  const pairs = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .sort(([a], [b]) => compareCodePoints(a, b))
    .map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`)
  return `{${pairs.join(',')}}`
}
