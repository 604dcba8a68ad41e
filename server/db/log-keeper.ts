/**
 * Keeps the write-ahead log from growing for ever. SQLite empties it by itself when it has 4 MB and nobody reads an
 * older state just then; readers of other processes that follow one another closely can put that off without end.
 * While nothing is written, though, new ones read the file alone: once the old ones have gone the log can be emptied.
 */
import { statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '@libsql/core/api'

/** Far above what a quick reader causes. SQLite has moved most of it into the file by then: what is left is quickly moved. */
const largeBytes = 32 * 2 ** 20
const lookEveryMs = 100
/** Writes wait no longer than this for readers to go: what stays longer is a backup or a studio. */
const pauseMs = 200
/** And not again so soon for one that stays. */
const giveUpMs = 5_000

/** Called between two commits, it takes a moment now and then; a log that cannot be emptied is left as it is. */
export function createLogKeeper(client: Client, path: string): () => Promise<void> | undefined {
  let lookAgainAt = 0

  async function empty() {
    for (const until = performance.now() + pauseMs; performance.now() < until; await sleep(2)) {
      if (await emptyLog(client).catch(() => false)) return
    }
    lookAgainAt = performance.now() + giveUpMs
  }

  return () => {
    const now = performance.now()
    if (now < lookAgainAt) return undefined
    lookAgainAt = now + lookEveryMs
    return sizeOf(`${path}-wal`) < largeBytes ? undefined : empty()
  }
}

/** Some microseconds, where the asynchronous call would keep the next commit waiting for longer. */
function sizeOf(file: string): number {
  try {
    return statSync(file).size
  }
  catch {
    return 0
  }
}

/** False while somebody reads from the log. */
async function emptyLog(client: Client): Promise<boolean> {
  const { rows } = await client.execute('PRAGMA wal_checkpoint(TRUNCATE)')
  return rows[0]?.busy === 0
}
