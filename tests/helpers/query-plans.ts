/** Runs every statement of a room as usual and remembers it, so that its plan can be asked for afterwards. */
import { type SQL, type SQLWrapper, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/libsql'
import { SQLiteAsyncDialect } from 'drizzle-orm/sqlite-core'
import { createLocalClient } from '../../server/db/local-client.ts'
import type { SyncDatabase } from '../../server/db/open.ts'
import type { TestDatabase } from './database.ts'

export interface Plan { statement: string, steps: string[] }

export interface RecordedDatabase extends SyncDatabase {
  /** The plans of what ran since the last call. */
  takePlans(): Promise<Plan[]>
}

const dialect = new SQLiteAsyncDialect()

export function recordStatements(database: TestDatabase): RecordedDatabase {
  let statements: SQL[] = []

  /** Only `all` and `run` take ready statements; a query builder is remembered when it is awaited. */
  function record<T extends object>(target: T): T {
    return new Proxy(target, {
      get(object, name) {
        const value: unknown = Reflect.get(object, name, object)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) => {
          if (name === 'then' && 'getSQL' in object) statements.push(toSql(object as unknown as SQLWrapper))
          const result: unknown = Reflect.apply(value, object, args)
          if (args[0] !== undefined && (name === 'all' || name === 'run')) {
            statements.push(toSql(args[0] as SQLWrapper))
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
      const explaining = drizzle(client)
      const plans = await Promise.all(taken.map(async statement => ({
        statement: dialect.sqlToQuery(statement).sql.replace(/\s+/g, ' '),
        steps: (await explaining.all<{ detail: string }>(sql`explain query plan ${statement}`)).map(step => step.detail),
      })))
      client.close()
      return plans
    },
  }
}

function toSql(statement: SQLWrapper | string): SQL {
  return typeof statement === 'string' ? sql.raw(statement) : sql`${statement.getSQL()}`
}
