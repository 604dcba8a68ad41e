/**
 * How many rows one statement reads. Their payloads become one text, which holds the event loop while it is made, and a
 * database server bounds its answers.
 */
import { type Placeholder, type SQL, sql } from 'drizzle-orm'

/**
 * The `bytes` of a change in an answer, at most. A text may take twice its length in JSON (a shift, since a statement
 * with a `*` is not kept prepared). SQLite takes a length from the row's header and reads no payload.
 */
export function rowBytes(prefix = ''): SQL {
  const length = (column: string) => `octet_length(${prefix}${column})`
  return sql.raw(`coalesce(${length('payload')}, 0) + 200
    + ((${['pk', 'hlc', 'device_id', 'table_name'].map(length).join(' + ')}) << 1) as bytes`)
}

/**
 * The limit of a statement whose next rows, at most `limit`, have the `bytes` that `sizes` selects: all of them, or as
 * many as take them to `maxBytes`.
 */
export function fittingRows(sizes: SQL, value: (name: 'limit' | 'maxBytes') => SQL | Placeholder): SQL {
  return sql`iif((select total(bytes) from ${sizes}) <= ${value('maxBytes')}, ${value('limit')}, (
    select count(*) from (select sum(bytes) over (rows unbounded preceding) - bytes as bytes_before from ${sizes})
    where bytes_before < ${value('maxBytes')}))`
}
