/**
 * Rate limits that outlive a restart: one row per key, gone when nothing in it counts. A refused request writes nothing,
 * so whoever is over the limit costs a read.
 */
import { createHash } from 'node:crypto'
import { eq, sql } from 'drizzle-orm'
import type { SyncDatabase } from '../../database/types.ts'
import { rateLimits } from '../../database/schema/index.ts'
import { providerId } from '../sync-adapter/adapter.ts'
import { isCleanText } from '../../sync/json.ts'
import type { RateLimitProvider } from './types.ts'
import { addMoment, checkMoments, describeMoments, type Moments, pruneMoments } from './window.ts'

export interface RateLimitProviderOptions {
  /** Above it the keys that end first are forgotten; at most some 20 MB. */
  maxKeys?: number
  /** Epoch milliseconds. */
  now?: () => number
}

/** Each new key takes more ended ones with it than come, so the table shrinks back to the living ones. */
const sweptPerKey = 10
/** Counting all keys costs a millisecond; that many new ones at most come in between. */
const newKeysPerCount = 1_000
const maxKeyLength = 256

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
        const added = addMoment(moments, nowMs, config)
        const values = { momentsMs: JSON.stringify(added), expiresAtMs: added.at(-1)![0] + config.windowMs }
        await tx.insert(rateLimits).values({ key: name, ...values }).onConflictDoUpdate({ target: rateLimits.key, set: values })
        if (known.length === 0) await makeRoom(tx, nowMs)
        return result
      })
    },
    async getStats(key, config) {
      const { read } = await database()
      const nowMs = now()
      return describeMoments(pruneMoments(await readMoments(read, nameOf(key)), nowMs, config), nowMs, config)
    },
  }

  async function makeRoom(tx: Pick<SyncDatabase['read'], 'run'>, nowMs: number) {
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

/** A long or unusual key is known by its digest. */
function nameOf(key: string): string {
  return key.length <= maxKeyLength && isCleanText(key) ? key : `sha256:${createHash('sha256').update(JSON.stringify(key)).digest('hex')}`
}
