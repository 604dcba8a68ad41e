/**
 * Commits of other servers on the same database, found by reading the heads of the workspaces that have a listener:
 * often while writes happen, once a second while none do, and not at all while nobody listens. Where the database tells
 * of writes, they are read at once. A device that misses a hint finds the change by its next pull. Upholds P11 and P13.
 */
import { sql } from 'drizzle-orm'
import { compileSql, readRows } from '../database/statement.ts'
import type { SyncDatabase } from '../database/types.ts'
import type { CommitFeed } from './commits.ts'

const busyMs = 30
const idleMs = 1_000
/** However many hints come. */
const leastGapMs = 10
/** For so long after a write others are expected. */
const expectMs = 3_000
const beginMs = 500
/** A hint of the database comes before its commit is visible: so long after the last look the heads are read again. */
const hintDelaysMs = [1, 4, 10, 20, 40]

/** Feeds `commits` for as long as the engine lives; where one process owns the data there is nothing to do. */
export function followForeignCommits(database: SyncDatabase, commits: CommitFeed): void {
  const { listenForWrites } = database
  if (!listenForWrites) return
  let running: Follower | undefined
  commits.onListening((workspaceIds) => {
    if (workspaceIds.size === 0) {
      running?.stop()
      running = undefined
    }
    else if (running) {
      running.look()
    }
    else {
      running = startFollower(database, listenForWrites, commits)
    }
  })
}

interface Follower {
  look(): void
  stop(): void
}

function startFollower(
  database: SyncDatabase, listenForWrites: NonNullable<SyncDatabase['listenForWrites']>, commits: CommitFeed,
): Follower {
  const told = new Map<string, number>()
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  let reading = false
  /** How many looks the last hint still asks for. */
  let looksDue = 0
  /** The database's own hints take a moment to begin; until then the heads are read as while writes happen. */
  let writtenAt = performance.now() - expectMs + beginMs
  let lastLookAt = -Infinity

  async function look() {
    if (stopped || reading) return
    reading = true
    lastLookAt = performance.now()
    const heads = await readHeads(database, commits.workspaceIds).catch(() => [])
    reading = false
    if (stopped) return
    const isNew = tell(heads)
    if (isNew) writtenAt = performance.now()
    looksDue = isNew ? 0 : Math.max(0, looksDue - 1)
    schedule(nextDelay())
  }

  function schedule(delayMs: number) {
    clearTimeout(timer)
    timer = setTimeout(() => void look(), delayMs)
    timer.unref()
  }

  function nextDelay(): number {
    if (looksDue > 0) return hintDelaysMs[hintDelaysMs.length - looksDue]!
    return performance.now() - writtenAt < expectMs ? busyMs : idleMs
  }

  /** Also the first head of a workspace: it may have moved since its listener came. */
  function tell(heads: readonly HeadRow[]): boolean {
    let isNew = false
    for (const { workspaceId, head } of heads) {
      if (told.get(workspaceId) === head) continue
      isNew ||= told.has(workspaceId)
      told.set(workspaceId, head)
      commits.tell({ workspaceId, head })
    }
    for (const workspaceId of told.keys()) if (!commits.workspaceIds.has(workspaceId)) told.delete(workspaceId)
    return isNew
  }

  const stopListening = listenForWrites(() => {
    writtenAt = performance.now()
    looksDue = hintDelaysMs.length
    if (!reading) schedule(Math.max(0, lastLookAt + leastGapMs - performance.now()))
  })
  void look()
  return {
    look: () => void look(),
    stop() {
      stopped = true
      clearTimeout(timer)
      stopListening()
    },
  }
}

interface HeadRow { workspaceId: string, head: number }

function readHeads(database: SyncDatabase, workspaceIds: ReadonlySet<string>): Promise<HeadRow[]> {
  return readRows(database.read.$client, selectHeads({ workspaceIds: JSON.stringify([...workspaceIds]) }))
}

const selectHeads = compileSql<{ workspaceIds: string }, HeadRow>(value => sql`
  select l.workspace_id as "workspaceId", l.head from json_each(${value('workspaceIds')}) v
  cross join logs l on l.workspace_id = v.value`)
