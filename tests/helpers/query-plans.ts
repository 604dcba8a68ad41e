/** Runs every statement of a room as usual and remembers it, so that its plan can be asked for afterwards. */
import type { InStatement, InValue } from '@libsql/core/api'
import { type Query, type SQLWrapper, sql } from 'drizzle-orm'
import { SQLiteAsyncDialect } from 'drizzle-orm/sqlite-core'
import { createLocalClient } from '../../server/database/local/client.ts'
import type { SyncDatabase } from '../../server/database/types.ts'
import type { TestDatabase } from './database.ts'

export interface Plan { statement: string, steps: string[] }

export interface RecordedDatabase extends SyncDatabase {
  /** The plans of what ran since the last call. */
  takePlans(): Promise<Plan[]>
}

const dialect = new SQLiteAsyncDialect()

export function recordStatements(database: TestDatabase): RecordedDatabase {
  let statements: Query[] = []

  /** `all`, `run` and `execute` take ready statements; a query builder is remembered when it is awaited. */
  function record<T extends object>(target: T): T {
    return new Proxy(target, {
      get(object, name) {
        const value: unknown = Reflect.get(object, name, object)
        if (name === '$client') return record(value as object)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) => {
          if (name === 'then' && 'getSQL' in object) statements.push(toQuery(object as unknown as SQLWrapper))
          const result: unknown = Reflect.apply(value, object, args)
          if (name === 'execute') {
            statements.push(toReadyQuery(args[0] as InStatement))
            return result
          }
          if (args[0] !== undefined && (name === 'all' || name === 'run')) {
            statements.push(toQuery(args[0] as SQLWrapper))
            return result
          }
          return typeof result === 'object' && result !== null && !(result instanceof Promise) ? record(result) : result
        }
      },
    })
  }

  return {
    ...database,
    read: record(database.read),
    write: job => database.write(tx => job(record(tx))),
    async takePlans() {
      const taken = statements
      statements = []
      // EXPLAIN ends without closing its read transaction: on a connection that is used again, reads would stand still.
      const client = createLocalClient({ path: database.path, pragmas: [] })
      const plans = await Promise.all(taken.map(async ({ sql, params }) => ({
        statement: sql.replace(/\s+/g, ' '),
        steps: (await client.execute({ sql: `explain query plan ${sql}`, args: params as InValue[] })).rows.map(step => String(step['detail'])),
      })))
      client.close()
      return plans
    },
  }
}

function toReadyQuery(statement: InStatement): Query {
  return typeof statement === 'string' ? { sql: statement, params: [] } : { sql: statement.sql, params: statement.args as InValue[] }
}

function toQuery(statement: SQLWrapper | string): Query {
  return dialect.sqlToQuery(typeof statement === 'string' ? sql.raw(statement) : statement.getSQL())
}
