/** The pragmas of the connections to the database file. What is set is read back. */
import type { Client } from '@libsql/core/api'
import type { DatabaseConfig } from '../../config/database.ts'

/** How a pragma is set, and what it answers then. */
export interface Pragma { set: string, is: string | number }

const synchronousLevels = { OFF: 0, NORMAL: 1, FULL: 2, EXTRA: 3 }

/** What every connection to the database sets. */
export function pragmasFor({ path, journalMode, synchronous }: DatabaseConfig): Record<string, Pragma> {
  return {
    ...path !== ':memory:' && { journal_mode: { set: journalMode, is: journalMode.toLowerCase() } },
    synchronous: { set: synchronous, is: synchronousLevels[synchronous] },
    foreign_keys: { set: 'ON', is: 1 },
    // A wait in the driver would stop the event loop.
    busy_timeout: { set: '0', is: 0 },
  }
}

/**
 * Room for the pages that a group of large pushes changes: with SQLite's 2 MB some are written twice, and read again.
 */
export const pragmasOfWriter = { cache_size: { set: '-8000', is: -8_000 } }

/** No checkpoint but those of wal-checkpointer.ts. */
export const pragmasOfWalCheckpointer = { wal_autocheckpoint: { set: '0', is: 0 } }

/** Throws where a pragma was not taken. */
export async function assertPragmas(client: Client, pragmas: Record<string, Pragma>) {
  for (const [name, { set, is }] of Object.entries(pragmas)) {
    const { rows } = await client.execute(`PRAGMA ${name}`)
    const answer = rows[0]?.[0]
    if (answer !== is) throw new Error(`it did not take PRAGMA ${name} = ${set}, it answers ${answer}`)
  }
}
