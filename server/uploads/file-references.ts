/**
 * Which live message or post names which file. The references are read out of the log the first time somebody asks and
 * on from there at every later question, so that a push pays nothing for them. A reference counts only as long as the
 * change that names it is its row's winner.
 */
import { sql } from 'drizzle-orm'
import type { SyncDatabase, WriteTransaction } from '../db/open.ts'
import { parseJson } from '../parse-json.ts'
import { isCleanText } from '../sync/json.ts'
import { logOf } from '../sync/log.ts'
import { digestOf, readFileHashes } from './digest.ts'

/** One chunk holds the writer and the event loop for a few milliseconds. */
const rowsPerChunk = 500

/** Longer than any hash; a longer text would be somebody's payload. */
const maxHashLength = 256

/** Brings the references up to the log's head at the time of the call. */
export async function readOnReferences(database: SyncDatabase, workspaceId: string): Promise<void> {
  const [counter] = await database.read.all<{ head: number, read: number }>(sql`
    select head, coalesce((select read_version from file_reference_progress where workspace_id = ${workspaceId}), 0) as read
    from logs where workspace_id = ${workspaceId}`)
  let read = counter?.read ?? 0
  while (counter && read < counter.head) read = await database.write(tx => readChunk(tx, workspaceId))
}

interface ReadRow { version: number, tableName: string, pk: string, op: string, payload: string | null, isWinner: 0 | 1 }

/** Where the chunk ended. */
async function readChunk(tx: WriteTransaction, workspaceId: string): Promise<number> {
  const rows = await tx.all<ReadRow>(sql`
    select c.server_version as version, c.table_name as "tableName", c.pk, c.op,
      case when c.server_version = r.server_version then 1 else 0 end as "isWinner",
      case when c.server_version = r.server_version and instr(c.payload, '"file_hashes"') then c.payload end as payload
    from changes c
    left join records r on r.log_id = c.log_id and r.table_name = c.table_name and r.pk = c.pk
    where c.log_id = ${logOf(workspaceId)}
      and c.server_version > coalesce((select read_version from file_reference_progress where workspace_id = ${workspaceId}), 0)
    order by c.server_version limit ${rowsPerChunk}`)
  const winners = rows.filter(row => row.isWinner && (row.tableName === 'messages' || row.tableName === 'posts'))
  await replaceReferences(tx, workspaceId, winners)
  const [counter] = await tx.all<{ head: number }>(sql`select head from logs where workspace_id = ${workspaceId}`)
  const read = rows.length < rowsPerChunk ? counter!.head : rows.at(-1)!.version
  await tx.run(sql`
    insert into file_reference_progress (workspace_id, read_version) values (${workspaceId}, ${read})
    on conflict (workspace_id) do update set read_version = excluded.read_version`)
  return read
}

async function replaceReferences(tx: WriteTransaction, workspaceId: string, winners: readonly ReadRow[]): Promise<void> {
  if (winners.length === 0) return
  const keys = JSON.stringify(winners.map(row => [row.tableName, row.pk]))
  await tx.run(sql`
    delete from file_references where workspace_id = ${workspaceId}
      and (table_name, pk) in (select value ->> 0, value ->> 1 from json_each(${keys}))`)
  const references = winners.flatMap(row => hashesOf(row).map(hash => [digestOf(hash), row.tableName, row.pk, hash, row.version]))
  await tx.run(sql`
    insert into file_references (workspace_id, digest, table_name, pk, hash, server_version)
    select ${workspaceId}, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 from json_each(${JSON.stringify(references)})
    where true
    on conflict do nothing`)
}

function hashesOf({ op, payload }: ReadRow): string[] {
  if (op !== 'put' || payload === null) return []
  const { deleted, file_hashes: value } = parseJson(payload) as { deleted?: unknown, file_hashes?: unknown }
  return deleted === true ? [] : readFileHashes(value).filter(hash => hash.length <= maxHashLength && isCleanText(hash))
}
