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
/** Writes wait no longer than this for readers to go, and once more: what stays longer is a backup or a studio. */
const pauseMs = 150
/** And not again so soon for one that stays. */
const giveUpMs = 5_000

/** Called between two commits, it takes a moment now and then; a log that cannot be emptied is left as it is. */
export function createLogKeeper(client: Client, path: string): () => Promise<void> | undefined {
  let lookAgainAt = 0

  async function empty() {
    let until = performance.now() + pauseMs
    let wasMoved = false
    for (; performance.now() < until; await sleep(2)) {
      const { isEmpty, isMoved } = await checkpoint(client)
      if (isEmpty) return
      // Whoever comes from now on reads the file alone; those who are still there came before that.
      if (isMoved && !wasMoved) until = performance.now() + pauseMs
      wasMoved ||= isMoved
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

/** All of the log is moved into the file once nobody reads an older state, and emptied once nobody reads from it. */
async function checkpoint(client: Client): Promise<{ isEmpty: boolean, isMoved: boolean }> {
  try {
    const { rows: [row] } = await client.execute('PRAGMA wal_checkpoint(TRUNCATE)')
    return { isEmpty: row?.busy === 0, isMoved: row?.checkpointed === row?.log }
  }
  catch {
    return { isEmpty: false, isMoved: false }
  }
}
