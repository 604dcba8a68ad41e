/**
 * Whether the server can serve, for a load balancer and for people: no path, no secret, nothing of any tenant. After a
 * write was refused for want of room it tries one of its own, or nobody who has turned away would see that there is room.
 */
import { stat } from 'node:fs/promises'
import { eq, sql } from 'drizzle-orm'
import { ledgerTable } from '../database/migrate.ts'
import type { SyncDatabase } from '../database/types.ts'
import { layerState } from '../database/schema/index.ts'
import type { SyncEngine } from '../sync/engine.ts'
import { readLastBackupAt } from './backup.ts'

export interface Health {
  /** The database is open and answers. */
  ready: boolean
  /** How many of the layer's migrations are applied. */
  schemaRevision: number
  /** False after a write was refused because the disk is full, until one succeeds. */
  writable: boolean
  lastBackupAt: string | null
  lastCleanUpAt: string | null
  walBytes: number
  queuedWrites: number
}

const notReady: Health = {
  ready: false, schemaRevision: 0, writable: false, lastBackupAt: null, lastCleanUpAt: null, walBytes: 0, queuedWrites: 0,
}

/** 200 where requests are served, else 503; undefined is an engine whose database is not open. */
export async function readHealth(engine: SyncEngine | undefined): Promise<{ status: 200 | 503, health: Health }> {
  if (!engine) return { status: 503, health: notReady }
  const { database } = engine
  const schemaRevision = await readRevision(database).catch(() => undefined)
  if (schemaRevision === undefined) return { status: 503, health: notReady }
  if (database.activity.isFull) await tryToWrite(database)
  const writable = !database.activity.isFull
  const health = {
    ready: true, schemaRevision, writable,
    lastBackupAt: await readLastBackupAt(database.local).catch(() => null),
    lastCleanUpAt: engine.maintenance.read().lastRun ?? null,
    walBytes: await readWalBytes(database),
    queuedWrites: database.activity.queued,
  }
  return { status: writable ? 200 : 503, health }
}

interface Recent { engine: SyncEngine, at: number, health: ReturnType<typeof readHealth> }

/** Anybody may ask, as often as they like: a second old is as good. */
const recentMs = 1_000
let recent: Recent | undefined

/** As `readHealth`, computed at most once a second. */
export function readRecentHealth(engine: SyncEngine | undefined): ReturnType<typeof readHealth> {
  if (!engine) return readHealth(engine)
  const now = performance.now()
  if (recent?.engine !== engine || now - recent.at >= recentMs) recent = { engine, at: now, health: readHealth(engine) }
  return recent.health
}

/** 0 in memory, and in journal modes without a log. */
export async function readWalBytes({ local }: SyncDatabase): Promise<number> {
  return local === null ? 0 : stat(`${local.path}-wal`).then(({ size }) => size, () => 0)
}

async function readRevision(database: SyncDatabase): Promise<number> {
  const [row] = await database.read.all<{ count: number }>(sql`select count(*) as count from ${sql.identifier(ledgerTable)}`)
  return row!.count
}

/** Written and taken away again: what counts is that it could be. */
async function tryToWrite(database: SyncDatabase): Promise<void> {
  await database.write(async (tx) => {
    await tx.insert(layerState).values({ name: 'health', value: 'x'.repeat(probeBytes) }).onConflictDoNothing()
    await tx.delete(layerState).where(eq(layerState.name, 'health'))
  }).catch(() => {})
}

/** Larger than the little room that a refused push leaves over: a small one dirties up to some fifteen pages. */
const probeBytes = 65_536
