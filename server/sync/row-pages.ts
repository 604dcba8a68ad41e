/**
 * The current rows of one table, for the server's own code: a page of them in the order of their keys, or one by its
 * key. A row of an older shape is migrated when it is read. A filter is checked row by row, in parts with turns of the
 * event loop between them. Every statement names its workspace (P8).
 */
import { setImmediate as yieldToLoop } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import { maxPageTextLength } from '../../shared/limits.ts'
import { parseJson } from '../../shared/parse-json.ts'
import type { JsonObject } from '../../shared/protocol.ts'
import { type RowOf, type SyncedTable, versionField } from '../../shared/synced-table.ts'
import { compileSql, type Executor, readRows } from '../database/statement.ts'
import type { SyncDatabase } from '../database/types.ts'
import { createSyncError } from '../errors.ts'
import type { SystemCaller } from './caller.ts'
import { logOf } from './log.ts'
import { findSyncedTable } from './tables.ts'

/** What a field can be compared with. */
export type FilterValue = string | number | boolean | null

export interface PageOptions<Row> {
  /** Only rows whose fields equal these. */
  where?: { readonly [Field in keyof Row]?: Extract<Row[Field], FilterValue> | undefined } | undefined
  /** The `next` of the page before. */
  after?: string | undefined
  /** 1 to 1,000; 100 where it is left out. */
  limit?: number | undefined
}

export interface RowPage<Row> {
  rows: Row[]
  /** Goes on with the next page as `after`; null at the end. A page may have fewer rows than asked for, and none. */
  next: string | null
}

const defaultRows = 100
const maxRows = 1_000
/** Rows that one statement reads: 64 MiB of the largest payloads, and 2 ms of filtering usual ones. */
const rowsPerRead = 256
/** A page ends after so many rows were compared, so that a filter that fits nothing ends too. */
const maxRowsScanned = 20_000

interface Scanned { pk: string, payload: string | null }

/**
 * A page of the current rows. Throws INVALID_REQUEST for an unknown table, a wrong limit and a field that cannot be
 * compared.
 */
export async function readRowPage<Table extends SyncedTable>(
  { read }: SyncDatabase,
  { workspaceId }: SystemCaller,
  table: Table,
  { where = {}, after = '', limit = defaultRows }: PageOptions<RowOf<Table>>,
): Promise<RowPage<RowOf<Table>>> {
  assertKnown(table)
  if (!Number.isInteger(limit) || limit < 1 || limit > maxRows) {
    throw createSyncError('INVALID_REQUEST', `limit must be a whole number from 1 to ${maxRows}`)
  }
  const values = { workspaceId, tableName: table.name, filter: toFilter(where) }
  const rows: RowOf<Table>[] = []
  let [last, scanned, textLength] = [after, 0, 0]
  while (scanned < maxRowsScanned && textLength < maxPageTextLength) {
    const part = await readRows(read.$client, selectRows({ ...values, after: last, limit: rowsPerRead }))
    for (const { pk, payload } of part) {
      if (rows.length === limit) return { rows, next: last }
      last = pk
      if (payload === null) continue
      textLength += payload.length
      const row = presentRow(table, payload)
      if (row) rows.push(row as RowOf<Table>)
    }
    if (part.length < rowsPerRead) return { rows, next: null }
    scanned += part.length
    await yieldToLoop()
  }
  return { rows, next: last }
}

/**
 * The current row of a key, or undefined. Throws INVALID_REQUEST for an unknown table, CONFLICT for a row in a newer
 * shape than this code knows.
 */
export async function readRow<Table extends SyncedTable>(
  executor: Executor, { workspaceId }: SystemCaller, table: Table, pk: string,
): Promise<RowOf<Table> | undefined> {
  assertKnown(table)
  const [found] = await readRows(executor, selectRow({ workspaceId, tableName: table.name, pk }))
  if (!found || found.payload === null) return undefined
  const row = presentRow(table, found.payload)
  if (!row) throw createSyncError('CONFLICT', `The row is of a newer version of "${table.name}" than this server knows`)
  return row as RowOf<Table>
}

interface InTable { workspaceId: string, tableName: string }

const selectRow = compileSql<InTable & { pk: string }, Scanned>(value => sql`
  select r.pk, case c.op when 'put' then c.payload end as payload
  from records r
  cross join changes c on c.log_id = r.log_id and c.server_version = r.server_version
  where r.log_id = ${logOf(value('workspaceId'))} and r.table_name = ${value('tableName')} and r.pk = ${value('pk')}
  limit 1`)

/** Each key after `after`; the payload is null where the row is deleted or does not fit the filter. */
const selectRows = compileSql<InTable & { after: string, limit: number, filter: string }, Scanned>(value => sql`
  select r.pk, case when c.op = 'put' and not exists (
      select 1 from json_each(${value('filter')}) f
      where coalesce(c.payload -> (f.value ->> 0), 'null') <> (f.value ->> 1))
    then c.payload end as payload
  from records r
  cross join changes c on c.log_id = r.log_id and c.server_version = r.server_version
  where r.log_id = ${logOf(value('workspaceId'))} and r.table_name = ${value('tableName')} and r.pk > ${value('after')}
  order by r.pk limit ${value('limit')}`)

/** Pairs of a JSON path and the JSON text that it must equal. */
function toFilter(where: Readonly<Record<string, unknown>>): string {
  const fields = Object.entries(where).filter(([, value]) => value !== undefined)
  return JSON.stringify(fields.map(([field, value]) => {
    if (/["\\]/.test(field)) {
      throw createSyncError('INVALID_REQUEST', 'A field with a quote or a backslash cannot be compared')
    }
    return [`$."${field}"`, JSON.stringify(value)]
  }))
}

/** The row in the present shape of its table; undefined where its shape is newer than this code. */
function presentRow(table: SyncedTable, payload: string): JsonObject | undefined {
  const row = parseJson(payload) as JsonObject
  const version = typeof row[versionField] === 'number' ? row[versionField] : 1
  if (version === table.version) return row
  return version < table.version ? table.migrate!(row, version) as JsonObject : undefined
}

function assertKnown(table: SyncedTable): void {
  if (findSyncedTable(table.name)) return
  throw createSyncError('INVALID_REQUEST', `Unknown table: "${table.name}" is not registered with registerSyncedTable`)
}
