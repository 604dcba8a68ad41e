/**
 * Checkpoints the write-ahead log on the connection that writes: a checkpoint beside it could meet the WAL-reset bug
 * (sqlite.org/wal.html). SQLite's own checkpoint is part of a commit, so every waiting push would wait for it. This one
 * runs after the commit was acknowledged, on a thread where it takes long.
 * Overlapping readers of other processes can starve the checkpoint. So a large log makes the writer pause: new readers
 * read the file alone, the old ones end, and then the log can be emptied.
 */
import { statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '@libsql/core/api'

/** SQLite does not tell how much the log holds, so it is estimated: a page per written row, three more per commit. */
const pagesPerCommit = 3
/** SQLite's own threshold: 4 MB. */
const pagesPerCheckpoint = 1_000
const pageBytes = 4_096
/** A log this large means that readers starve the checkpoint. */
const largeBytes = 32 * 2 ** 20

/** Asking SQLite and the file system costs a tenth of a small commit, so it is done this often at most. */
const checkEveryMs = 10
/** A checkpoint that took longer runs on a thread the next time, where it takes twice as long. */
const longMs = 10
/** The longest pause of writes for readers to end: what reads longer is a backup or a studio. */
const pauseMs = 600
/** The time until the next pause, after one that did not help. */
const giveUpMs = 10_000

const checkpoint = 'PRAGMA wal_checkpoint(PASSIVE)'
/** Moves all of the log once nobody reads an older state, and empties it once nobody reads from it. */
const truncate = 'PRAGMA wal_checkpoint(TRUNCATE)'

/** To be called between two commits. It never throws: a log that cannot be checkpointed now is left as it is. */
export function createWalCheckpointer(client: Client, path: string): () => Promise<void> | undefined {
  const sizeOfLog = () => sizeOf(logOf(path))
  let checkAgainAt = 0
  let pauseAgainAt = 0
  let lastMs = 0
  /** As of the last checkpoint; what an earlier process left counts as new. */
  let rowsThen = -sizeOfLog() / pageBytes
  let sizeThen = 0
  let commits = 0

  async function checkpointIfDue() {
    const rows = await countWrittenRows(client)
    const size = sizeOfLog()
    const isLarge = size >= largeBytes && performance.now() >= pauseAgainAt
    // The file keeps its length, so growth tells that large payloads made more pages than estimated.
    const isGrown = size >= sizeThen + pagesPerCheckpoint * pageBytes
    if (rows - rowsThen + commits * pagesPerCommit < pagesPerCheckpoint && !isGrown && !isLarge) return
    const startedAt = performance.now()
    await (isGrown || isLarge || lastMs > longMs ? client.executeMultiple(checkpoint) : client.execute(checkpoint))
    lastMs = performance.now() - startedAt
    if (isLarge) await pauseUntilEmpty()
    rowsThen = rows
    commits = 0
    sizeThen = sizeOfLog()
  }

  async function pauseUntilEmpty() {
    for (const until = performance.now() + pauseMs; performance.now() < until; await sleep(2)) {
      if (await truncateWal(client, path)) return
    }
    pauseAgainAt = performance.now() + giveUpMs
  }

  return () => {
    commits++
    const now = performance.now()
    if (now < checkAgainAt) return undefined
    checkAgainAt = now + checkEveryMs
    return checkpointIfDue().catch(() => {})
  }
}

/** Moves all of the log into the file and empties it; false where a reader holds it, or it fails. */
export async function truncateWal(client: Client, path: string): Promise<boolean> {
  await client.executeMultiple(truncate).catch(() => {})
  return sizeOf(logOf(path)) === 0
}

/** Rows written by this connection since it was opened. */
async function countWrittenRows(client: Client): Promise<number> {
  const { rows: [row] } = await client.execute('SELECT total_changes() LIMIT 1')
  return Number(row![0])
}

const logOf = (path: string) => `${path}-wal`

/** Takes some microseconds. The asynchronous call would keep the next commit waiting for longer. */
function sizeOf(file: string): number {
  try {
    return statSync(file).size
  }
  catch {
    return 0
  }
}
