/**
 * Keeps the write-ahead log short, on the connection that writes: a checkpoint beside it could meet the WAL-reset bug
 * (sqlite.org/wal.html). SQLite's own checkpoint is part of a commit, and whoever waits for that waits for it too. This
 * one comes after the commit has been told, where it may take long on a thread, and more seldom where commits are large:
 * a page that was written again and again is moved once. Pushes of 100 by 16 clients take a tenth less.
 * Readers of other processes that follow one another closely can keep the log from being emptied without end. While
 * nothing is written, though, new ones read the file alone: once the old ones have gone it can be emptied.
 */
import { statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '@libsql/core/api'

const pageBytes = 4_096
/** SQLite does not tell how much is to be moved: a row that was written makes about one page, a commit three more. */
const pagesPerCommit = 3
/** When to move it: 4 MB, which is SQLite's own measure, and 20 MB where commits are large. */
const usualPages = 1_000
const bulkPages = 5_000
const bulkPagesPerCommit = 100
/** Far above that, by what a quick reader causes. */
const largeBytes = 32 * 2 ** 20

const lookEveryMs = 10
/** A checkpoint that took longer leaves the loop the next time. On a thread it takes twice as long. */
const longMs = 10
/** Writes wait no longer than this for readers to go: what stays longer is a backup or a studio. */
const pauseMs = 600
/** And not again so soon for one that stays. */
const giveUpMs = 10_000

const checkpoint = 'PRAGMA wal_checkpoint(PASSIVE)'
/** All of it is moved once nobody reads an older state, and emptied once nobody reads from it. */
const truncate = 'PRAGMA wal_checkpoint(TRUNCATE)'

/** Called between two commits, it takes a moment now and then; a log that cannot be emptied is left as it is. */
export function createWalCheckpointer(client: Client, path: string): () => Promise<void> | undefined {
  const sizeOfLog = () => sizeOf(logOf(path))
  let lookAgainAt = 0
  let emptyAgainAt = 0
  let lastMs = 0
  /** As of the last checkpoint; what an earlier process left counts as new. */
  let rowsMoved = -sizeOfLog() / pageBytes
  let sizeThen = 0
  let commitsSince = 0

  async function look() {
    const rows = await countWrittenRows(client)
    const size = sizeOfLog()
    const pages = rows - rowsMoved + commitsSince * pagesPerCommit
    const isBulk = pages > commitsSince * bulkPagesPerCommit
    const isLarge = size >= largeBytes && performance.now() >= emptyAgainAt
    // The file keeps its length, so only growth tells that large payloads made more pages than that.
    const isGrown = size > Math.max(bulkPages * pageBytes, sizeThen)
    if (pages < (isBulk ? bulkPages : usualPages) && !isGrown && !isLarge) return
    const startedAt = performance.now()
    await (isBulk || isGrown || isLarge || lastMs > longMs ? client.executeMultiple(checkpoint) : client.execute(checkpoint))
    lastMs = performance.now() - startedAt
    if (isLarge) await emptyWithinPause()
    rowsMoved = rows
    commitsSince = 0
    sizeThen = sizeOfLog()
  }

  /** Whoever comes from now on reads the file alone; those who are still there came before that. */
  async function emptyWithinPause() {
    for (const until = performance.now() + pauseMs; performance.now() < until; await sleep(2)) {
      if (await truncateWal(client, path)) return
    }
    emptyAgainAt = performance.now() + giveUpMs
  }

  return () => {
    commitsSince++
    const now = performance.now()
    if (now < lookAgainAt) return undefined
    lookAgainAt = now + lookEveryMs
    return look().catch(() => {})
  }
}

/** Moves all of the log into the file and empties it; false where somebody reads from it, or it fails. */
export async function truncateWal(client: Client, path: string): Promise<boolean> {
  await client.executeMultiple(truncate).catch(() => {})
  return sizeOf(logOf(path)) === 0
}

/** By this connection since it was opened. */
async function countWrittenRows(client: Client): Promise<number> {
  const { rows: [row] } = await client.execute('SELECT total_changes() LIMIT 1')
  return Number(row![0])
}

const logOf = (path: string) => `${path}-wal`

/** Some microseconds, where the asynchronous call would keep the next commit waiting for longer. */
function sizeOf(file: string): number {
  try {
    return statSync(file).size
  }
  catch {
    return 0
  }
}
