/**
 * Logs statements that hold the event loop for long, by a digest of their text: never their values, nor the text, in
 * which a careless app may have put some. The driver is synchronous, so the call itself is what takes the time.
 */
import { createHash } from 'node:crypto'
import type { Client, InArgs, InStatement, Transaction } from '@libsql/core/api'
import { delegate } from '../database/delegate.ts'
import { toStatement } from '../database/local/arguments.ts'

export interface SlowStatement {
  /** Its first word and what it is about, as far as that is plain: `insert changes`. */
  name: string
  /** Of the SQL text: equal for equal statements, whatever their values. */
  hash: string
  tookMs: number
}

/** `client` as it was, with what took longer than `slowMs` told to `tell`. */
export function watchStatements(client: Client, slowMs: number, tell: (slow: SlowStatement) => void): Client {
  function timed<T>(statement: InStatement, run: () => T): T {
    const startedAt = performance.now()
    const result = run()
    const tookMs = performance.now() - startedAt
    if (tookMs >= slowMs) {
      const text = typeof statement === 'string' ? statement : statement.sql
      tell({ ...describeStatement(text), tookMs: Math.round(tookMs) })
    }
    return result
  }

  function watchTransaction(transaction: Transaction): Transaction {
    return delegate(transaction, {
      execute: (statement: InStatement, args?: InArgs) =>
        timed(statement, () => transaction.execute(toStatement(statement, args))),
      commit: () => timed('commit', () => transaction.commit()),
    })
  }

  return delegate(client, {
    execute: (statement: InStatement, args?: InArgs) =>
      timed(statement, () => client.execute(toStatement(statement, args))),
    transaction: async (...mode: Parameters<Client['transaction']>) =>
      watchTransaction(await client.transaction(...mode)),
  })
}

/** Names a statement by its verb, its table and a hash of its text. */
function describeStatement(text: string): Omit<SlowStatement, 'tookMs'> {
  const plain = text.trim().toLowerCase()
  const about = /\b(?:insert into|update|delete from|from)\s+"?(\w+)/.exec(plain)?.[1]
  const verb = /^\w+/.exec(plain)?.[0] ?? 'statement'
  return { name: about ? `${verb} ${about}` : verb, hash: createHash('sha256').update(text).digest('hex').slice(0, 12) }
}
