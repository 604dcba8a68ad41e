/**
 * Commits of other servers on the same database, found by reading the heads again and again: often while writes happen,
 * once a second while none do, and not at all while nobody listens. Where the database tells of writes, that comes first.
 * What is found is a hint only: a device that misses one finds the change by its next pull. Upholds P11.
 */
import { sql } from 'drizzle-orm'
import { compileSql, readRows } from '../database/statement.ts'
import type { SyncDatabase } from '../database/types.ts'
import type { Commit } from './commits.ts'

export interface ForeignCommits {
  /** Begins to look. */
  start(): void
  stop(): void
  /** This server has written: more writes are likely. */
  noteWrite(): void
}

const busyMs = 30
const idleMs = 1_000
/** For so long after a write others are expected. */
const expectMs = 3_000
/** The database tells of a write before its commit is visible: so long after each other it is looked for. */
const hintDelaysMs = [2, 5, 10, 20, 40]

/** `tell` gets each head that is new since the last look, also those that this server has moved itself. */
export function createForeignCommits(database: SyncDatabase, tell: (commit: Commit) => void): ForeignCommits {
  let running: { stopHints: () => void } | undefined
  let timer: NodeJS.Timeout | undefined
  let seen: Mark | undefined
  let writtenAt = -Infinity
  let looking = false
  let hinted = 0

  async function look(own: object) {
    if (looking || running !== own) return
    looking = true
    const hintedBefore = hinted
    let found = false
    try {
      const next = await readMark(database, seen)
      found = seen !== undefined && next.commits.length > 0
      if (running === own && found) for (const commit of next.commits) tell(commit)
      if (found) writtenAt = performance.now()
      seen = next
    }
    catch {
      // A database that does not answer is asked again; devices find what was missed by their pulls.
    }
    looking = false
    if (running === own) schedule(own, found ? 0 : hintedBefore)
  }

  /** `pending` counts the looks that a hint still asks for. */
  function schedule(own: object, pending: number) {
    clearTimeout(timer)
    if (pending > 0) hinted = Math.min(hinted, pending) - 1
    else hinted = 0
    const delay = pending > 0
      ? hintDelaysMs[hintDelaysMs.length - pending]!
      : performance.now() - writtenAt < expectMs ? busyMs : idleMs
    timer = setTimeout(() => void look(own), delay)
    timer.unref()
  }

  return {
    start() {
      if (running) return
      const own = { stopHints: () => {} }
      running = own
      own.stopHints = database.listenForWrites?.(() => {
        writtenAt = performance.now()
        hinted = hintDelaysMs.length
        if (!looking) schedule(own, hinted)
      }) ?? own.stopHints
      void look(own)
    },
    stop() {
      running?.stopHints()
      running = undefined
      clearTimeout(timer)
      seen = undefined
    },
    noteWrite() {
      writtenAt = performance.now()
    },
  }
}

/** The newest change of all, and what has happened since the mark before. */
interface Mark { rowid: number, change: string | null, commits: Commit[] }

/**
 * A row's number is greater than that of every row before it. A clean-up can free the last ones and a VACUUM gives new ones;
 * then the change at the mark is another one, and all heads are read.
 */
async function readMark(database: SyncDatabase, before: Mark | undefined): Promise<Mark> {
  const rowid = before?.rowid ?? null
  const [row] = await readRows(database.read.$client, selectMark({ rowid }))
  const { last, heads, change, same } = row!
  if (before && same !== before.change) return { rowid: last, change, commits: await readAllHeads(database) }
  return { rowid: last, change, commits: toCommits(heads) }
}

async function readAllHeads(database: SyncDatabase): Promise<Commit[]> {
  const [row] = await readRows(database.read.$client, selectHeads({}))
  return toCommits(row!.heads)
}

function toCommits(heads: string): Commit[] {
  return (JSON.parse(heads) as [string, number][]).map(([workspaceId, head]) => ({ workspaceId, head }))
}

interface MarkRow { last: number, change: string | null, same: string | null, heads: string }

const selectMark = compileSql<{ rowid: number | null }, MarkRow>(value => sql`
  select m.last, (select log_id || '/' || server_version from changes where rowid = m.last) as change,
    (select log_id || '/' || server_version from changes where rowid = ${value('rowid')}) as same,
    (select json_group_array(json_array(l.workspace_id, l.head)) from logs l
      where l.id in (select log_id from changes where rowid > ${value('rowid')})) as heads
  from (select coalesce(max(rowid), 0) as last from changes) as m
  limit 1`)

const selectHeads = compileSql<object, { heads: string }>(() => sql`
  select json_group_array(json_array(workspace_id, head)) as heads from logs limit 1`)
