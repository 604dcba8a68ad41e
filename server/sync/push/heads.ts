/**
 * Where each workspace's log ended when this process last wrote to it, so that a small push need not ask. Only a guess:
 * the transaction that wrote may have been undone since, so whoever uses it lets the log confirm it (`claimVersions`).
 */
import type { SyncDatabase } from '../../db/open.ts'

export interface LogEnd { logId: number, head: number, horizon: number }

/** Some hundred bytes each; beyond this all are forgotten at once. */
const maxEnds = 10_000

const ends = new WeakMap<SyncDatabase, Map<string, LogEnd>>()

export function guessEnd(database: SyncDatabase, workspaceId: string): LogEnd | undefined {
  return ends.get(database)?.get(workspaceId)
}

/** Within the transaction that wrote, so that the next push in it guesses right. */
export function noteEnd(database: SyncDatabase, workspaceId: string, end: LogEnd): void {
  let known = ends.get(database)
  if (!known) ends.set(database, known = new Map())
  if (known.size >= maxEnds) known.clear()
  known.set(workspaceId, end)
}
