/**
 * The `Client` interface of `@libsql/client` over a connection to a libsql-server, for Drizzle and the migrations. A
 * transaction sends its BEGIN with its first statement.
 */
import {
  LibsqlError, type Client, type InArgs, type InStatement, type ResultSet, type Transaction, type TransactionMode,
} from '@libsql/core/api'
import { transactionModeToBegin } from '@libsql/core/util'
import { backOff } from './back-off.ts'
import type { RemoteConnection, Session } from './connection.ts'
import { isPassing } from './remote-error.ts'

type BatchStatement = InStatement | [string, InArgs?]

/**
 * Each call outside a transaction is one request. What fails in passing is tried again for `retryMs`, but for a batch
 * that writes. `migrate` needs one session and is not offered: see `createSessionClient`.
 */
export function createRemoteClient(connection: RemoteConnection, retryMs = 0): Client {
  return toClient({
    send: (statements, inTransaction) => {
      const send = () => connection.send(statements, { inTransaction })
      return inTransaction ? send() : retryPassing(retryMs, send)
    },
    openSession: () => connection.openSession(),
    ownsSession: true,
    close: () => connection.close(),
  })
}

/** All calls go to one session, so that a pragma holds for the calls after it. */
export function createSessionClient(session: Session): Client {
  return toClient({
    send: (statements, inTransaction) => session.send(statements, { inTransaction }),
    openSession: async () => session,
    ownsSession: false,
    close: () => session.close(),
  })
}

interface Source {
  send(statements: readonly InStatement[], inTransaction: boolean): Promise<ResultSet[]>
  openSession(): Promise<Session>
  /** A transaction has a session of its own, which ends with it. */
  ownsSession: boolean
  close(): void
}

function toClient(source: Source): Client {
  let closed = false
  return {
    protocol: 'ws',
    get closed() {
      return closed
    },
    execute: async (statement: InStatement, args?: InArgs) => {
      const [result] = await source.send([typeof statement === 'string' ? withArgs(statement, args) : statement], false)
      return result!
    },
    batch: (statements, mode = 'deferred') => source.send(statements.map(toStatement), mode === 'write'),
    migrate: () => Promise.reject(new LibsqlError('Use a transaction instead', 'MIGRATE_NOT_SUPPORTED')),
    transaction: async (mode: TransactionMode = 'write') => openTransaction(
      await source.openSession(), transactionModeToBegin(mode), source.ownsSession,
    ),
    executeMultiple: async (sql) => {
      const session = await source.openSession()
      try {
        await session.sendScript(sql)
      }
      finally {
        if (source.ownsSession) session.close()
      }
    },
    async sync() {
      throw new LibsqlError('A remote database has nothing to sync with', 'SYNC_NOT_SUPPORTED')
    },
    async reconnect() {},
    close() {
      closed = true
      source.close()
    },
  }
}

async function retryPassing<T>(retryMs: number, work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + retryMs
  for (let attempt = 0; ; attempt++) {
    try {
      return await work()
    }
    catch (error) {
      if (!isPassing(error) || performance.now() >= deadline) throw error
      await backOff(attempt)
    }
  }
}

function openTransaction(session: Session, begin: string, ownsSession: boolean): Transaction {
  let hasBegun = false
  let ended = false

  async function send(statements: readonly InStatement[]): Promise<ResultSet[]> {
    if (ended) throw new LibsqlError('The transaction is closed', 'TRANSACTION_CLOSED')
    if (hasBegun) return session.send(statements, { onlyInTransaction: true })
    hasBegun = true
    return session.send(statements, { begin })
  }

  async function end(statement: 'COMMIT' | 'ROLLBACK') {
    if (ended) throw new LibsqlError('The transaction is closed', 'TRANSACTION_CLOSED')
    ended = true
    try {
      if (hasBegun) await session.send([statement], { isLast: ownsSession, onlyInTransaction: true })
    }
    finally {
      if (ownsSession) session.close()
    }
  }

  function close() {
    // The server undoes what was not committed when its session ends.
    if (!ended) void end('ROLLBACK').catch(() => {})
  }

  return {
    execute: async (statement: InStatement, args?: InArgs) => {
      const [result] = await send([typeof statement === 'string' ? withArgs(statement, args) : statement])
      return result!
    },
    batch: statements => send(statements.map(toStatement)),
    executeMultiple: async (sql) => {
      if (!hasBegun) await send([])
      await session.sendScript(sql)
    },
    commit: () => end('COMMIT'),
    rollback: async () => {
      if (!ended) await end('ROLLBACK').catch(() => {})
    },
    close,
    get closed() {
      return ended
    },
  }
}

function toStatement(statement: BatchStatement): InStatement {
  return Array.isArray(statement) ? withArgs(statement[0], statement[1]) : statement
}

function withArgs(sql: string, args: InArgs | undefined): InStatement {
  return args === undefined ? sql : { sql, args }
}
