/**
 * One connection of the native `libsql` package, its prepared statements kept. Preparing costs more than running.
 *
 * A statement that met SQLITE_BUSY stays open in the driver until it is run again; while one is open, an autocommit
 * write on the same connection resolves and is never committed (tursodatabase/libsql-client-ts#352). So BEGIN, COMMIT
 * and ROLLBACK go through `exec`, which leaves nothing open, and a connection where another statement met it is
 * spoiled.
 */
import { isMainThread } from 'node:worker_threads'
import { LibsqlError, type InStatement, type ResultSet } from '@libsql/core/api'
import { ResultSetImpl } from '@libsql/core/util'
import type Database from 'libsql'
import { toNativeArgs } from './arguments.ts'
import { isBusy, mapDriverError } from '../driver-error.ts'
import { nativeDriver } from './native.ts'
import { createRowShape, type RowShape } from './row-shape.ts'

export interface ConnectionOptions {
  /** A file path, or `:memory:`. */
  path: string
  /** Statements run once on the connection, before anything else. */
  pragmas: readonly string[]
  /**
   * Only with a write-ahead log: without one a commit on a thread and the reads of this process would lock each other
   * out.
   */
  commitsOffLoop?: boolean | undefined
  /** Is told each error of the driver. */
  onFailure?: ((error: unknown) => void) | undefined
}

export interface Connection {
  run(statement: InStatement): ResultSet
  /** Runs a script, or a BEGIN, COMMIT or ROLLBACK. */
  exec(sql: string): void
  /**
   * The same on a thread, so that the loop goes on. Nothing else may be asked of the connection until it is done: the
   * loop would wait.
   */
  execOffLoop(sql: string): Promise<void>
  /**
   * Commits: off the loop where that is allowed and the last commit took long, at once otherwise, which is over when
   * this returns.
   */
  commit(): Promise<void> | undefined
  /** False on a closed connection too, where the driver would end the process. */
  readonly inTransaction: boolean
  /** True once a statement met SQLITE_BUSY: the connection must be replaced before it is used for anything else. */
  readonly spoiled: boolean
  close(): void
}

interface Statement {
  native: Database.Statement<[unknown]>
  /** Null where the statement returns no rows. */
  shape: RowShape | null
  /** The most positional arguments it was ever given. */
  given: number
  /** It cannot return more than one row. */
  single: boolean
  /** Its cursor stays open after the last row, and holds the state that it read; `get` closes it. */
  staysOpen: boolean
  /** Sequence number of its last use (for LRU eviction). */
  usedAt: number
}

/** More than the layer's own statements; the rest is for an app's. The least recently used one is evicted. */
const maxKeptStatements = 512

/** In UTF-16 units. A statement keeps its last arguments in memory, so one with longer arguments is not kept. */
const maxKeptTextLength = 1024 * 1024

/** After a commit that took longer the next one runs on a thread. A thread costs 0.1 ms. */
const longCommitMs = 2

/** A kept statement with `*` would miss columns that were added since; `count(*)` has no columns. */
const neverKept = /(?<!\()\*/

const isExplain = /^(?:\s|--.*\n|\/\*[^]*?\*\/)*explain\b/i

/** Such a statement is read by `get`, one call of the driver; `all` takes two. That saves a third of a look-up. */
const endsInLimitOne = /^\s*(?:select|with)\b(?!.*(?:--|\/\*)).*\blimit 1\s*$/is

/** Opens the file and sets `pragmas`. Throws `LibsqlError` where that fails; nothing stays open then. */
export function openConnection({ path, pragmas, commitsOffLoop = false, onFailure }: ConnectionOptions): Connection {
  const kept = new Map<string, Statement>()
  let calls = 0
  let spoiled = false
  let closed = false
  let lastCommitMs = 0
  const database = openNative(path)
  try {
    for (const pragma of pragmas) exec(pragma)
  }
  catch (error) {
    database.close()
    throw error
  }

  function prepare(sql: string, args: unknown): Statement {
    // Named arguments would leave the positional ones of an earlier call bound.
    const keep = Array.isArray(args)
    const known = keep && kept.get(sql)
    if (known) {
      known.usedAt = ++calls
      return known
    }
    const native = database.prepare(sql)
    // Without it an integer over 2^53 would be rounded in silence.
    native.safeIntegers(true)
    const shape = native.reader ? createRowShape(native.raw(true).columns()) : null
    const statement = {
      native, shape, given: 0, single: endsInLimitOne.test(sql), staysOpen: isExplain.test(sql), usedAt: ++calls,
    }
    if (!keep || neverKept.test(sql)) return statement
    if (kept.size >= maxKeptStatements) kept.delete(leastRecentlyUsed(kept))
    kept.set(sql, statement)
    return statement
  }

  function run(statement: InStatement): ResultSet {
    const sql = typeof statement === 'string' ? statement : statement.sql
    const args = toNativeArgs((typeof statement === 'string' ? undefined : statement.args) ?? [])
    try {
      const known = prepare(sql, args)
      if (Array.isArray(args)) {
        padArgs(known, args)
        if (textLengthOf(args) > maxKeptTextLength) kept.delete(sql)
      }
      const { native, shape } = known
      if (shape) {
        const rows = known.single ? toArray(native.get(args)) : native.all(args)
        if (known.staysOpen) native.get(args)
        return new ResultSetImpl(shape.columns, shape.columnTypes, rows.map(shape.toRow), 0, undefined)
      }
      const { changes, lastInsertRowid } = native.run(args)
      return new ResultSetImpl([], [], [], changes, BigInt(lastInsertRowid))
    }
    catch (error) {
      const mapped = noteError(error)
      if (isBusy(mapped)) spoiled = true
      throw mapped
    }
  }

  function noteError(error: unknown): unknown {
    const mapped = mapDriverError(error)
    onFailure?.(mapped)
    return mapped
  }

  function exec(sql: string) {
    try {
      database.exec(sql)
    }
    catch (error) {
      throw noteError(error)
    }
  }

  async function execOffLoop(sql: string) {
    // A worker thread that is terminated during the call crashes the process; a dev server does that on each reload.
    if (!isMainThread) return exec(sql)
    try {
      // Both classes of the driver work on one handle: this one runs statements at once, the other runs scripts on a
      // thread.
      await nativeDriver().AsyncDatabase.prototype.exec.call(database, sql)
    }
    catch (error) {
      throw noteError(error)
    }
  }

  function commit(): Promise<void> | undefined {
    const startedAt = performance.now()
    const noteTime = () => {
      lastCommitMs = performance.now() - startedAt
    }
    if (commitsOffLoop && lastCommitMs >= longCommitMs) return execOffLoop('COMMIT').finally(noteTime)
    exec('COMMIT')
    noteTime()
    return undefined
  }

  return {
    run,
    exec,
    execOffLoop,
    commit,
    get inTransaction() {
      return !closed && database.inTransaction
    },
    get spoiled() {
      return spoiled
    },
    close() {
      if (closed) return
      closed = true
      // The driver cannot free a statement: the file handle, with its locks, goes with the next garbage collection.
      if (database.inTransaction) database.exec('ROLLBACK')
      kept.clear()
      database.close()
    },
  }
}

function openNative(path: string): Database.Database {
  const { Database } = nativeDriver()
  try {
    // No native busy timeout: it would stop the event loop.
    return new Database(path, { timeout: 0 })
  }
  catch (error) {
    throw new LibsqlError(
      `unable to open ${path}`, 'SQLITE_CANTOPEN', undefined, 14, error instanceof Error ? error : undefined,
    )
  }
}

function leastRecentlyUsed(kept: ReadonlyMap<string, Statement>): string {
  return [...kept].reduce((oldest, entry) => entry[1].usedAt < oldest[1].usedAt ? entry : oldest)[0]
}

function toArray(row: unknown): unknown[] {
  return row === undefined ? [] : [row]
}

function textLengthOf(args: readonly unknown[]): number {
  return args.reduce<number>(
    (sum, arg) => sum + (typeof arg === 'string' || arg instanceof Uint8Array ? arg.length : 0), 0,
  )
}

/** The driver never clears what was bound: an argument that is missing now would have its value of an earlier call. */
function padArgs(statement: Statement, args: unknown[]) {
  if (args.length > statement.given) statement.given = args.length
  while (args.length < statement.given) args.push(null)
}
