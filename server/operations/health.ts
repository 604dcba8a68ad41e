/**
 * Whether the server can serve, for a load balancer and for people: the outcome of the last real reads and writes. It
 * tells no path, no secret and nothing of any tenant. After a failed write it makes one of its own: a load balancer
 * that has turned away sends none. Upholds P14.
 */
import { stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { eq, sql } from 'drizzle-orm'
import type { ErrorCode } from '../../shared/error-codes.ts'
import { ledgerTable } from '../database/migrate.ts'
import type { SyncDatabase } from '../database/types.ts'
import { layerState } from '../database/schema/index.ts'
import type { SyncEngine } from '../sync/engine.ts'
import { readLastBackupAt } from './backup.ts'

export interface Health {
  /** The database is open and answers a read. */
  ready: boolean
  /** How many of the layer's migrations are applied. */
  schemaRevision: number
  /** False after a write failed, whatever the error, until one succeeds. */
  writable: boolean
  /**
   * The error code of what is wrong (docs/troubleshooting.md); the log has the reason. Null where all is well. With 200
   * it is DATABASE_FULL: the disk's reserve is reached, so puts are refused and all else is served.
   */
  problem: ErrorCode | null
  lastBackupAt: string | null
  lastCleanUpAt: string | null
  walBytes: number
  queuedWrites: number
}

const notReady: Health = {
  ready: false, schemaRevision: 0, writable: false, problem: 'DATABASE_UNAVAILABLE',
  lastBackupAt: null, lastCleanUpAt: null, walBytes: 0, queuedWrites: 0,
}

/** A load balancer does not wait as long as a write waits for another process's lock. */
const probeMs = 1_000

/** 200 where requests are served, else 503; undefined is an engine whose database is not open. */
export async function readHealth(engine: SyncEngine | undefined): Promise<{ status: 200 | 503, health: Health }> {
  if (!engine) return { status: 503, health: notReady }
  const { database } = engine
  const schemaRevision = await readRevision(database).catch(() => undefined)
  if (!database.activity.isWritable) {
    await Promise.race([tryToWrite(database), sleep(probeMs, undefined, { ref: false })])
  }
  const { problem: met, isWritable: writable } = database.activity
  const problem = met ?? (schemaRevision === undefined ? 'DATABASE_UNAVAILABLE' : null)
  const health: Health = {
    ready: schemaRevision !== undefined, schemaRevision: schemaRevision ?? 0, writable,
    problem: problem ?? (await engine.isDiskShort() ? 'DATABASE_FULL' : null),
    lastBackupAt: await readLastBackupAt(database.local).catch(() => null),
    lastCleanUpAt: engine.maintenance.read().lastRun ?? null,
    walBytes: await readWalBytes(database),
    queuedWrites: database.activity.queued,
  }
  return { status: problem === null ? 200 : 503, health }
}

interface Recent { engine: SyncEngine, at: number, problem: ErrorCode | null, health: ReturnType<typeof readHealth> }

/** Anybody may ask, as often as they like: a second old is as good, unless what is wrong has changed since. */
const recentMs = 1_000
let recent: Recent | undefined

/** As `readHealth`, computed at most once a second. */
export function readRecentHealth(engine: SyncEngine | undefined): ReturnType<typeof readHealth> {
  if (!engine) return readHealth(engine)
  const now = performance.now()
  const { problem } = engine.database.activity
  if (recent?.engine !== engine || recent.problem !== problem || now - recent.at >= recentMs) {
    recent = { engine, at: now, problem, health: readHealth(engine) }
  }
  return recent.health
}

/** 0 in memory, and in journal modes without a log. */
export async function readWalBytes({ local }: SyncDatabase): Promise<number> {
  return local === null ? 0 : stat(`${local.path}-wal`).then(({ size }) => size, () => 0)
}

async function readRevision(database: SyncDatabase): Promise<number> {
  // From the table itself: damage to its index would make health fail where everything else goes on.
  const [row] = await database.read.all<{ count: number }>(
    sql`select count(*) as count from ${sql.identifier(ledgerTable)} not indexed`,
  )
  return row!.count
}

/** Larger than the little room that a refused push leaves over: a small one dirties up to some fifteen pages. */
const probeBytes = 65_536

/** Writes a row and takes it away again in one commit, whose outcome counts. */
async function tryToWrite(database: SyncDatabase): Promise<void> {
  await database.write(async (tx) => {
    await tx.insert(layerState).values({ name: 'health', value: 'x'.repeat(probeBytes) }).onConflictDoNothing()
    await tx.delete(layerState).where(eq(layerState.name, 'health'))
  }).catch(() => {})
}
