/**
 * The `Client` interface of `@libsql/client` over one connection of the native `libsql` package, which keeps its
 * prepared statements. It runs one transaction at a time: a call that comes while one is open waits for its end.
 * `tests/contract/libsql-client.ts` holds it and `@libsql/client` to the same contract.
 */
import {
  LibsqlBatchError, LibsqlError,
  type Client, type InArgs, type InStatement, type ResultSet, type Transaction, type TransactionMode,
} from '@libsql/core/api'
import { transactionModeToBegin } from '@libsql/core/util'
import { toStatement } from './arguments.ts'
import { backOffFrom } from '../busy.ts'
import { isBusy } from '../driver-error.ts'
import { openConnection, type Connection, type ConnectionOptions } from './connection.ts'

export interface LocalClientOptions extends ConnectionOptions {
  /**
   * How long a call outside a transaction waits for another process's lock, in milliseconds; not at all if left out. A
   * script does not.
   */
  busyTimeoutMs?: number
}

/** Opens the connection. Throws `LibsqlError` when the file cannot be opened. */
export function createLocalClient({ busyTimeoutMs = 0, ...options }: LocalClientOptions): Client {
  let connection = openConnection(options)
  let closed = false
  let current: Occupant | undefined

  /** Runs `work` when no transaction is open; nothing may come between the look and the work. */
  function whenFree<T>(work: (connection: Connection) => T | Promise<T>): Promise<T> {
    if (current || closed || connection.spoiled) return whenFreed(work)
    // The usual case. A look-up that skips the queue takes a tenth less.
    try {
      return Promise.resolve(work(connection))
    }
    catch (error) {
      return busyTimeoutMs > 0 && isBusy(error) ? whenFreed(work) : Promise.reject(error as Error)
    }
  }

  async function whenFreed<T>(work: (connection: Connection) => T | Promise<T>): Promise<T> {
    const deadline = performance.now() + busyTimeoutMs
    for (let attempt = 0; ; attempt++) {
      while (current && !closed) await current.ended
      if (closed) throw new LibsqlError('The client is closed', 'CLIENT_CLOSED')
      try {
        if (connection.spoiled) renew()
        return work(connection)
      }
      catch (error) {
        await backOffFrom(error, attempt, deadline)
      }
    }
  }

  function renew() {
    const old = connection
    connection = openConnection(options)
    old.close()
  }

  function begin(mode: TransactionMode): Transaction {
    const { transaction, ended } = openTransaction(connection, mode)
    occupy({ ended, close: transaction.close })
    return transaction
  }

  function runScript(connection: Connection, sql: string): Promise<void> {
    const run = execWhole(connection, sql)
    occupy({ ended: run.catch(() => {}), close: () => {} })
    return run
  }

  function occupy(occupant: Occupant) {
    current = occupant
    void occupant.ended.then(() => {
      if (current === occupant) current = undefined
    })
  }

  return {
    protocol: 'file',
    get closed() {
      return closed
    },
    execute: (statement: InStatement, args?: InArgs) =>
      whenFree(free => free.run(toStatement(statement, args))),
    batch: (statements, mode = 'deferred') => whenFree(free => runBatch(free, statements, mode)),
    migrate: statements => whenFree((free) => {
      // Foreign keys are off around the transaction, so that rebuilding a table does not delete its children.
      free.exec('PRAGMA foreign_keys = OFF')
      try {
        return runBatch(free, statements, 'write')
      }
      finally {
        free.exec('PRAGMA foreign_keys = ON')
      }
    }),
    transaction: (mode: TransactionMode = 'write') => whenFree(() => begin(mode)),
    executeMultiple: sql => whenFree(free => runScript(free, sql)),
    async sync() {
      throw new LibsqlError('A local file has nothing to sync with', 'SYNC_NOT_SUPPORTED')
    },
    async reconnect() {
      this.close()
      connection = openConnection(options)
      closed = false
    },
    close() {
      if (closed) return
      closed = true
      connection.close()
      current?.close()
    },
  }
}

/** What has the connection to itself. */
interface Occupant {
  /** Resolves when it is over, however it ended. */
  ended: Promise<void>
  close(): void
}

interface OpenTransaction {
  transaction: Transaction
  /** Resolves when the transaction is over, however it ended. */
  ended: Promise<void>
}

function openTransaction(connection: Connection, mode: TransactionMode): OpenTransaction {
  connection.exec(transactionModeToBegin(mode))
  const { promise: ended, resolve }: PromiseWithResolvers<void> = Promise.withResolvers()
  let ending = false

  /** SQLite ends a transaction by itself after some errors, a full disk among them: no statement may follow then. */
  const isClosed = () => ending || !connection.inTransaction

  function assertUsable() {
    if (isClosed()) throw closedError()
  }

  /** Once: the connection may be another transaction's afterwards. */
  function end() {
    try {
      rollBack(connection)
    }
    finally {
      resolve()
    }
  }

  /** A commit that has begun is left to end by itself: it may run on a thread, and a ROLLBACK would meet it there. */
  function close() {
    if (ending) return
    ending = true
    end()
  }

  function run(statement: InStatement): ResultSet {
    assertUsable()
    return connection.run(statement)
  }

  const transaction: Transaction = {
    execute: async (statement: InStatement, args?: InArgs) =>
      run(toStatement(statement, args)),
    batch: async statements => runEach(statements, run),
    executeMultiple: async (sql) => {
      assertUsable()
      connection.exec(sql)
    },
    commit: async () => {
      if (ending) throw closedError()
      ending = true
      try {
        if (!connection.inTransaction) throw closedError()
        const rest = connection.commit()
        if (rest) await rest
      }
      finally {
        end()
      }
    },
    rollback: async () => {
      close()
      return ended
    },
    close,
    get closed() {
      return isClosed()
    },
  }
  return { transaction, ended }
}

function closedError() {
  return new LibsqlError('The transaction is closed', 'TRANSACTION_CLOSED')
}

type BatchStatement = InStatement | [string, InArgs?]

function runBatch(connection: Connection, statements: BatchStatement[], mode: TransactionMode): ResultSet[] {
  connection.exec(transactionModeToBegin(mode))
  try {
    const results = runEach(statements, (statement) => {
      if (!connection.inTransaction) throw new LibsqlError('The transaction has been rolled back', 'TRANSACTION_CLOSED')
      return connection.run(statement)
    })
    connection.exec('COMMIT')
    return results
  }
  finally {
    rollBack(connection)
  }
}

/** Runs the statements in order; the error names the one that failed. */
function runEach(statements: BatchStatement[], run: (statement: InStatement) => ResultSet): ResultSet[] {
  return statements.map((statement, index) => {
    try {
      return run(Array.isArray(statement) ? toStatement(...statement) : statement)
    }
    catch (error) {
      if (!(error instanceof LibsqlError)) throw error
      const message = error.message.replace(`${error.code}: `, '')
      throw new LibsqlBatchError(message, index, error.code, error.extendedCode, error.rawCode, error)
    }
  })
}

/** A script that leaves a transaction open has it undone. */
async function execWhole(connection: Connection, sql: string): Promise<void> {
  try {
    await connection.execOffLoop(sql)
  }
  finally {
    rollBack(connection)
  }
}

function rollBack(connection: Connection) {
  if (connection.inTransaction) connection.exec('ROLLBACK')
}
