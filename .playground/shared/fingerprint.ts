/**
 * One hash over everything a device holds: rows with payload and revision, and tombstones, in key order. Two devices
 * are equal exactly when their fingerprints are. Which server versions they know does not count.
 */
import type { SyncStore } from '../../client/index.ts'
import { compareCodePoints } from '../../shared/revision.ts'
import { sha256 } from './sha256.ts'

export async function fingerprint(store: SyncStore): Promise<string> {
  const sorted = [...store.entries()].sort(
    (a, b) => compareCodePoints(a.table, b.table) || compareCodePoints(a.pk, b.pk),
  )
  const lines = sorted.map(({ table, pk, clock, hlc, opId, row }) =>
    canonicalJson([table, pk, clock, hlc, opId, row ?? null]))
  const bytes = new TextEncoder().encode(lines.join('\n'))
  // Browsers hide `crypto.subtle` on plain http outside localhost, as for a phone in the same network.
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
