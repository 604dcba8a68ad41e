/** The tables of the layer and their rows, read and written in the order of their row numbers, which are kept. */
import { createHash } from 'node:crypto'
import type { InValue } from '@libsql/core/api'
import { getTableName, is, Table } from 'drizzle-orm'
import { getTableConfig, type SQLiteTable } from 'drizzle-orm/sqlite-core'
import * as schema from '../../server/database/schema/index.ts'
import type { SyncDatabase } from '../../server/database/types.ts'

export interface TableSpec {
  name: string
  /** Without those that the database computes. */
  columns: readonly string[]
}

/** `layer_state` has the mark of the copy, so it is copied by name. */
const stateTable = getTableName(schema.layerState)
const markCondition = `name not in ('copying', 'clean_up_lease')`

/** Each after the tables that it refers to. */
export function listTables(): TableSpec[] {
  const tables = Object.values<unknown>(schema).filter((entry): entry is SQLiteTable => is(entry, Table))
  const ordered: SQLiteTable[] = []
  const add = (table: SQLiteTable, above: readonly SQLiteTable[]) => {
    if (ordered.includes(table) || above.includes(table)) return
    for (const key of getTableConfig(table).foreignKeys) add(key.reference().foreignTable, [...above, table])
    if (!ordered.includes(table)) ordered.push(table)
  }
  for (const table of tables) add(table, [])
  return ordered.map(table => ({
    name: getTableName(table),
    columns: getTableConfig(table).columns.filter(column => column.generated === undefined).map(column => column.name),
  }))
}

/** How many rows there are, but those of the copy itself. */
export async function countRows(database: SyncDatabase, table: TableSpec): Promise<number> {
  const { rows: [row] } = await database.read.$client.execute(
    `select count(*) from ${quote(table.name)} where ${conditionOf(table)}`,
  )
  return Number(row![0])
}

/** Copies what the target does not have yet; gives the number of rows of each step. */
export async function* copyTable(source: SyncDatabase, target: SyncDatabase, table: TableSpec): AsyncGenerator<number> {
  const isState = table.name === stateTable
  const { rows: [last] } = await target.read.$client.execute(`select coalesce(max(rowid), 0) from ${quote(table.name)}`)
  for await (const rows of readRows(source, table, isState ? 0 : Number(last![0]))) {
    // The mark has a row number of its own.
    const written = isState ? table.columns : ['rowid', ...table.columns]
    const cells = isState ? rows.map(row => row.slice(1)) : rows
    const places = `(${written.map(() => '?').join()})`
    await target.write(tx => tx.execute({
      sql: `insert into ${quote(table.name)} (${written.map(quote).join()})
        values ${cells.map(() => places).join()} on conflict do nothing`,
      args: cells.flat(),
    }))
    yield rows.length
  }
}

/** SHA-256 of all rows in their order. */
export async function fingerprintTable(
  database: SyncDatabase,
  table: TableSpec,
): Promise<{ rows: number, fingerprint: string }> {
  const hash = createHash('sha256')
  let count = 0
  for await (const rows of readRows(database, table, 0)) {
    count += rows.length
    for (const row of rows) hash.update(JSON.stringify(table.name === stateTable ? row.slice(1) : row))
  }
  return { rows: count, fingerprint: hash.digest('hex') }
}

/** A database server answers with no more than 10 MB. */
const maxBytes = 4 * 1024 * 1024
const maxRows = 250

/** Rows with their number first, in its order; those of the state by name. */
async function* readRows(database: SyncDatabase, table: TableSpec, after: number): AsyncGenerator<InValue[][]> {
  const columns = ['rowid', ...table.columns]
  const length = table.columns.map(column => `coalesce(octet_length(${quote(column)}), 0)`).join(' + ')
  const isState = table.name === stateTable
  const select = `select ${columns.map(quote).join()} from (
    select rowid, ${table.columns.map(quote).join()}, sum(${length}) over (order by rowid) - (${length}) as bytes_before
    from ${quote(table.name)} where rowid > ? and ${conditionOf(table)} order by rowid limit ${maxRows})
    where bytes_before < ${maxBytes} order by ${isState ? 'name' : 'rowid'}`
  for (let from = after; ;) {
    const { rows } = await database.read.$client.execute({ sql: select, args: [from] })
    if (rows.length === 0) return
    yield rows.map(row => columns.map((_, index) => row[index] as InValue))
    // The state is small, and read at once.
    if (isState) return
    from = Number(rows.at(-1)![0])
  }
}

function conditionOf(table: TableSpec): string {
  return table.name === stateTable ? markCondition : 'true'
}

function quote(name: string): string {
  return `"${name}"`
}
