/**
 * The `Client` interface of `@libsql/client` over one connection of the native `libsql` package, with every prepared
 * statement kept. Keeping them is what makes it safe: a statement that met SQLITE_BUSY is reset when it is used again,
 * where a freshly prepared one stays open and swallows later autocommit writes (tursodatabase/libsql-client-ts#352).
 * One connection runs one transaction at a time; a call that comes while one is open waits for it.
 */
import type {
  Client, InArgs, InStatement, InValue, ResultSet, Row, Transaction, TransactionMode, Value,
} from '@libsql/core/api'
import { LibsqlError } from '@libsql/core/api'
import Database from 'libsql'
import { mapDriverError } from './driver-error.ts'
import { createRowShape, type RowShape } from './row-shape.ts'

export interface LocalClientOptions {
  /** A file path, or `:memory:`. */
  path: string
  /** Statements run once on the connection, before anything else. */
  pragmas: readonly string[]
}

interface KeptStatement {
  native: Database.Statement<[unknown]>
  shape: RowShape | null
}

/** More than the layer's own statements; the rest is room for an app's. The least recently used one is let go. */
const maxKeptStatements = 256

const begin: Record<TransactionMode, string> = { write: 'BEGIN IMMEDIATE', read: 'BEGIN TRANSACTION READONLY', deferred: 'BEGIN DEFERRED' }

/** Opens the connection. Throws `LibsqlError` when the file cannot be opened. */
export function createLocalClient({ path, pragmas }: LocalClientOptions): Client {
  let database: Database.Database
  let kept = new Map<string, KeptStatement>()
  let closed = false
  /** Resolves when the open transaction has ended; undefined while there is none. */
  let occupied: Promise<void> | undefined

  connect()

  function connect() {
    try {
      // No native busy timeout: it would stop the event loop. The writer waits in JavaScript.
      database = new Database(path, { timeout: 0 })
      for (const pragma of pragmas) database.exec(pragma)
    }
    catch (error) {
      throw mapDriverError(error)
    }
    kept = new Map()
    closed = false
  }

  function prepare(sql: string): KeptStatement {
    const known = kept.get(sql)
    if (known) {
      kept.delete(sql)
      kept.set(sql, known)
      return known
    }
    const native = database.prepare(sql)
    native.safeIntegers(true)
    const statement: KeptStatement = { native, shape: null }
    try {
      native.raw(true)
      statement.shape = createRowShape(native.columns())
    }
    catch {
      // raw() is refused for a statement that returns no rows
    }
    if (kept.size >= maxKeptStatements) kept.delete(kept.keys().next().value!)
    kept.set(sql, statement)
    return statement
  }

  function run(statement: InStatement): ResultSet {
    const sql = typeof statement === 'string' ? statement : statement.sql
    const args = typeof statement === 'string' ? [] : toNativeArgs(statement.args ?? [])
    try {
      const { native, shape } = prepare(sql)
      if (shape) {
        const rows = (native.all(args) as Value[][]).map(shape.toRow)
        return resultSet(shape.columns, shape.columnTypes, rows, 0, undefined)
      }
      const { changes, lastInsertRowid } = native.run(args)
      return resultSet([], [], [], changes, BigInt(lastInsertRowid))
    }
    catch (error) {
      throw mapDriverError(error)
    }
  }

  function assertOpen() {
    if (closed) throw new LibsqlError('The client is closed', 'CLIENT_CLOSED')
  }

  /** Runs `work` when no transaction is open; nothing may come between the look and the work. */
  async function whenFree<T>(work: () => T): Promise<T> {
    while (occupied) await occupied
    assertOpen()
    return work()
  }

  function rollBack() {
    // SQLite ends a transaction by itself after some errors, a full disk among them.
    if (!closed && database.inTransaction) run('ROLLBACK')
  }

  function runAll(statements: (InStatement | [string, InArgs?])[], mode: TransactionMode): ResultSet[] {
    run(begin[mode])
    try {
      const results = statements.map((statement) => {
        const result = run(Array.isArray(statement) ? { sql: statement[0], args: statement[1] ?? [] } : statement)
        assertInTransaction()
        return result
      })
      run('COMMIT')
      return results
    }
    finally {
      rollBack()
    }
  }

  function assertInTransaction() {
    if (!database.inTransaction) throw new LibsqlError('The transaction has been rolled back', 'TRANSACTION_CLOSED')
  }

  function openTransaction(mode: TransactionMode): Transaction {
    run(begin[mode])
    let release!: () => void
    occupied = new Promise<void>((resolve) => {
      release = resolve
    })
    let over = false

    function settle() {
      if (over) return
      over = true
      occupied = undefined
      release()
    }
    function assertUsable() {
      if (over || closed) throw new LibsqlError('The transaction is closed', 'TRANSACTION_CLOSED')
    }
    function runInside(statement: InStatement): ResultSet {
      assertUsable()
      try {
        return run(statement)
      }
      catch (error) {
        // After some errors SQLite has ended the transaction: what follows must not run in autocommit.
        if (!database.inTransaction) settle()
        throw error
      }
    }

    return {
      execute: async statement => runInside(statement),
      batch: async statements => statements.map(statement => runInside(statement)),
      executeMultiple: async (sql) => {
        assertUsable()
        exec(sql)
      },
      commit: async () => {
        assertUsable()
        try {
          run('COMMIT')
        }
        catch (error) {
          rollBack()
          throw error
        }
        finally {
          settle()
        }
      },
      rollback: async () => {
        if (over) return
        try {
          rollBack()
        }
        finally {
          settle()
        }
      },
      close: () => {
        if (over) return
        rollBack()
        settle()
      },
      get closed() {
        return over || closed
      },
    }
  }

  function exec(sql: string) {
    try {
      database.exec(sql)
    }
    catch (error) {
      throw mapDriverError(error)
    }
  }

  return {
    protocol: 'file',
    get closed() {
      return closed
    },
    execute: (statement: InStatement, args?: InArgs) =>
      whenFree(() => run(typeof statement === 'string' ? { sql: statement, args: args ?? [] } : statement)),
    batch: (statements, mode = 'deferred') => whenFree(() => runAll(statements, mode)),
    migrate: statements => whenFree(() => {
      // Foreign keys are off around the transaction, so that rebuilding a table does not delete its children.
      run('PRAGMA foreign_keys = OFF')
      try {
        return runAll(statements, 'write')
      }
      finally {
        run('PRAGMA foreign_keys = ON')
        // A kept statement would go on with the columns it knew.
        kept.clear()
      }
    }),
    transaction: (mode: TransactionMode = 'write') => whenFree(() => openTransaction(mode)),
    executeMultiple: sql => whenFree(() => {
      try {
        exec(sql)
      }
      finally {
        rollBack()
        kept.clear()
      }
    }),
    async sync() {
      throw new LibsqlError('A local file has nothing to sync with', 'SYNC_NOT_SUPPORTED')
    },
    async reconnect() {
      this.close()
      connect()
    },
    close() {
      if (closed) return
      closed = true
      kept.clear()
      database.close()
    },
  }
}

function resultSet(columns: string[], columnTypes: string[], rows: Row[], rowsAffected: number, lastInsertRowid: bigint | undefined): ResultSet {
  return {
    columns, columnTypes, rows, rowsAffected, lastInsertRowid,
    toJSON: () => ({ columns, columnTypes, rows: rows.map(row => Array.from(row)), rowsAffected, lastInsertRowid: lastInsertRowid?.toString() ?? null }),
  }
}

function toNativeArgs(args: InArgs): unknown {
  if (Array.isArray(args)) return args.map(toNativeValue)
  return Object.fromEntries(Object.entries(args).map(([name, value]) => [name.replace(/^[@$:]/, ''), toNativeValue(value)]))
}

function toNativeValue(value: InValue): unknown {
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new RangeError('Only finite numbers can be stored')
    return value
  }
  if (typeof value === 'boolean') return value ? 1 : 0
  if (value instanceof Date) return value.valueOf()
  if (value instanceof ArrayBuffer) return Buffer.from(value)
  if (value === undefined) throw new TypeError('undefined cannot be stored: use null')
  return value
}
