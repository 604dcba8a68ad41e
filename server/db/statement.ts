/**
 * SQL compiled once: a `sql` template whose values are placeholders becomes text and an order of parameters, and each
 * call only fills them in. Building a template anew on each call took longer than running a small statement.
 */
import { fillPlaceholders, type Placeholder, type SQL, sql } from 'drizzle-orm'
import { SQLiteAsyncDialect } from 'drizzle-orm/sqlite-core'

const dialect = new SQLiteAsyncDialect()

export type Compiled<Name extends string> = (values: Record<Name, unknown>) => SQL

/**
 * `build` gets a placeholder for each name; what the result makes of values is run as `tx.run(…)` or `read.all(…)`.
 * A statement that ends in `limit 1` is read with one call of the driver.
 */
export function compileSql<Name extends string>(build: (value: (name: Name) => Placeholder<Name>) => SQL): Compiled<Name> {
  const { sql: text, params } = dialect.sqlToQuery(build(name => sql.placeholder(name)))
  return (values) => {
    const statement = sql.raw(text)
    statement.toQuery = () => ({ sql: text, params: fillPlaceholders(params, values) })
    return statement
  }
}
