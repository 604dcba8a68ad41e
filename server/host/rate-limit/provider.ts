/**
 * Rate limits that survive a restart: one row per key, dropped when nothing in it counts. A refused request writes
 * nothing, so a client over its limit costs a read.
 */
import { createHash } from 'node:crypto'
import { eq, sql } from 'drizzle-orm'
import type { SyncDatabase } from '../../database/types.ts'
import { rateLimits } from '../../database/schema/index.ts'
import { providerId } from '../sync-adapter/adapter.ts'
import { isStorable } from '../../lib/storable-text.ts'
import {
  addMoment, checkMoments, describeMoments, type Moments, pruneMoments,
} from '../../lib/sliding-window.ts'
import type { RateLimitProvider } from './types.ts'

export interface RateLimitProviderOptions {
  /** With more keys those that expire first are dropped; 100,000 keys take some 20 MB. */
  maxKeys?: number
  /** Epoch milliseconds. */
  now?: () => number
}

/** Each new key drops up to ten expired ones, so the table shrinks back to the keys in use. */
const sweptPerKey = 10
/** Counting all keys costs a millisecond, so it is done once per so many new keys. */
const newKeysPerCount = 1_000
const maxKeyLength = 256
/** A key has at most so many moments in its window. */
const steps = 1_000

/** Makes the provider. */
export function createRateLimitProvider(
  database: () => Promise<SyncDatabase>,
  { maxKeys = 100_000, now = Date.now }: RateLimitProviderOptions = {},
): RateLimitProvider {
  let newKeys = 0

  return {
    name: providerId,
    async checkAndRecord(key, config) {
      const { read, write } = await database()
      const name = nameOf(key)
      const nowMs = now()
      const before = checkMoments(pruneMoments(await readMoments(read, name), nowMs, config), nowMs, config)
      if (!before.allowed) return before
      return write(async (tx) => {
        const known = await readMoments(tx, name)
        const moments = pruneMoments(known, nowMs, config)
        const result = checkMoments(moments, nowMs, config)
        if (!result.allowed) return result
        const added = addMoment(moments, nowMs, Math.max(1, Math.floor(config.windowMs / steps)))
        const values = { momentsMs: JSON.stringify(added), expiresAtMs: added.at(-1)![0] + config.windowMs }
        await tx.insert(rateLimits).values({ key: name, ...values })
          .onConflictDoUpdate({ target: rateLimits.key, set: values })
        if (known.length === 0) await dropKeys(tx, nowMs)
        return result
      })
    },
    async getStats(key, config) {
      const { read } = await database()
      const nowMs = now()
      return describeMoments(pruneMoments(await readMoments(read, nameOf(key)), nowMs, config), nowMs, config)
    },
  }

  async function dropKeys(tx: Pick<SyncDatabase['read'], 'run'>, nowMs: number) {
    await tx.run(sql`delete from rate_limits where key in (
      select key from rate_limits where expires_at_ms <= ${nowMs} order by expires_at_ms limit ${sweptPerKey})`)
    if (++newKeys % newKeysPerCount !== 0) return
    await tx.run(sql`delete from rate_limits where key in (
      select key from rate_limits order by expires_at_ms desc limit -1 offset ${maxKeys})`)
  }
}

async function readMoments(from: Pick<SyncDatabase['read'], 'select'>, key: string): Promise<Moments> {
  const [row] = await from.select({ moments: rateLimits.momentsMs }).from(rateLimits).where(eq(rateLimits.key, key))
  return row ? JSON.parse(row.moments) as Moments : []
}

/** A long or unusual key is stored as its digest. */
function nameOf(key: string): string {
  if (key.length <= maxKeyLength && isStorable(key)) return key
  return `sha256:${createHash('sha256').update(JSON.stringify(key)).digest('hex')}`
}
