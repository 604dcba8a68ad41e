/**
 * Keeps the write-ahead log from growing for ever. SQLite empties it by itself when it has 4 MB and nobody reads an
 * older state just then; readers of other processes that follow one another closely can put that off without end.
 * While nothing is written, though, new ones read the file alone: once the old ones have gone the log can be emptied.
 */
import { stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '@libsql/core/api'

/** Far above what a quick reader causes, and emptied within a few tens of milliseconds. */
const largeBytes = 32 * 2 ** 20
const lookEveryMs = 100
/** Writes wait no longer than this for readers to go. */
const pauseMs = 300
/** After that it is a backup or a studio that stays: its end is not waited for with every look. */
const giveUpMs = 5_000

/** Called between two commits, it takes a moment now and then; a log that cannot be emptied is left as it is. */
export function createLogKeeper(client: Client, path: string): () => Promise<void> | undefined {
  let lookAgainAt = 0

  async function look() {
    const size = await stat(`${path}-wal`).then(file => file.size, () => 0)
    if (size < largeBytes) return
    for (const until = performance.now() + pauseMs; performance.now() < until; await sleep(2)) {
      if (await emptyLog(client).catch(() => false)) return
    }
    lookAgainAt = performance.now() + giveUpMs
  }

  return () => {
    const now = performance.now()
    if (now < lookAgainAt) return undefined
    lookAgainAt = now + lookEveryMs
    return look()
  }
}

/** False while somebody reads from the log. */
async function emptyLog(client: Client): Promise<boolean> {
  const { rows } = await client.execute('PRAGMA wal_checkpoint(TRUNCATE)')
  return rows[0]?.busy === 0
}
