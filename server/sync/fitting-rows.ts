/**
 * How many rows one statement reads. Their payloads become one text, which holds the event loop while it is made, and a
 * database server bounds its answers.
 */
import { type Placeholder, type SQL, sql } from 'drizzle-orm'

/**
 * The `bytes` of a change in an answer, at most. In JSON a control character takes six bytes, so eight are counted for
 * each of a key: by a shift, since a statement with a `*` is not kept prepared. SQLite takes a length from the row's
 * header and reads no payload.
 */
export function rowBytes(prefix = ''): SQL {
  const length = (column: string) => `octet_length(${prefix}${column})`
  return sql.raw(`coalesce(${length('payload')}, 0) + 200
    + ((${['pk', 'hlc', 'device_id', 'table_name'].map(length).join(' + ')}) << 3) as bytes`)
}

/**
 * SQL for a LIMIT: `limit` where all rows of `sizes`, which selects their `bytes`, fit into `maxBytes`, else as many as
 * reach it, at least one.
 */
export function fittingRows(sizes: SQL, value: (name: 'limit' | 'maxBytes') => SQL | Placeholder): SQL {
  return sql`iif((select total(bytes) from ${sizes}) <= ${value('maxBytes')}, ${value('limit')}, (
    select count(*) from (select sum(bytes) over (rows unbounded preceding) - bytes as bytes_before from ${sizes})
    where bytes_before < ${value('maxBytes')}))`
}
