/**
 * Where each workspace's log ended when this process last wrote to it, so that a small push saves a query. The cache is
 * a guess: the transaction that wrote may have been undone since, so `claimVersions` lets the database confirm it.
 */

export interface LogEnd { logId: number, head: number, horizon: number }

export interface HeadCache {
  get(workspaceId: string): LogEnd | undefined
  /** Within the transaction that wrote, so that the next push in it guesses right. */
  set(workspaceId: string, end: LogEnd): void
}

/** Some hundred bytes each; beyond this all are forgotten at once. */
const maxEnds = 10_000

/** Makes the cache of one engine. */
export function createHeadCache(): HeadCache {
  const ends = new Map<string, LogEnd>()
  return {
    get: workspaceId => ends.get(workspaceId),
    set(workspaceId, end) {
      if (ends.size >= maxEnds) ends.clear()
      ends.set(workspaceId, end)
    },
  }
}
