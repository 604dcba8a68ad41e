/**
 * The open database, as the rest of the server sees it. It says nothing of a file, nor that one process owns the data:
 * what only a local file can do is its `local` capability.
 */
import type { Client } from '@libsql/core/api'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import type { Migration } from './migrate.ts'
import type { GroupedWrites } from './remote/grouped-writes.ts'
import type { WriterActivity } from './write-queue.ts'
import type { WriteJob, WriteTransaction } from './writer.ts'

export type { WriteTransaction }

/**
 * Without a schema: building its relational queries anew for each transaction would cost a twentieth of a small push.
 */
export type ReadDatabase = LibSQLDatabase & { $client: Client }

export interface SyncDatabase {
  readonly activity: WriterActivity
  /**
   * Committed data, never written through. A read does not wait for the writer, but in memory or without a write-ahead
   * log.
   */
  readonly read: ReadDatabase
  /** A copy for reads that lags behind; absent where there is none. */
  readonly replica?: ReadDatabase | undefined
  /** Runs `job` in the one writer's transaction; resolves after the commit, so what it returns may be acknowledged. */
  write<T>(job: WriteJob<T>): Promise<T>
  /**
   * The moment to store, in epoch seconds. Null where the database's own clock counts, since the clocks of the servers
   * that share it may differ: SQL reads it as `coalesce(?, unixepoch())`.
   */
  now(): number | null
  /** Runs writes of one kind in groups, a round trip a group; null where each job runs for itself. */
  readonly grouped: GroupedWrites | null
  /**
   * Calls `onWrite` when anyone has written to a log, before or after the commit is visible; returns what ends that.
   * Absent where no other process writes. A call may be lost.
   */
  listenForWrites?: ((onWrite: () => void) => () => void) | undefined
  /** What only a local file can do; null in memory. */
  readonly local: LocalFile | null
  /** Finishes the waiting writes and closes the database. */
  close(): Promise<void>
}

/** A database file on this machine's disk, owned by this process. */
export interface LocalFile {
  /** Absolute, links resolved. */
  readonly path: string
  /** Moves the write-ahead log into the file and empties it, between two commits; false where a reader holds it. */
  truncateWal(): Promise<boolean>
}

export interface Migrations {
  layer: readonly Migration[]
  /** An app's own history in its own ledger; empty where it has none. */
  app: readonly Migration[]
}
