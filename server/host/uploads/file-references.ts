/**
 * Which live message or post names which file. The references are read from the log at the first query, and further at
 * each later one, so that a push pays nothing for them. A host deletes files without a reference, so none may be
 * missing: a reference counts as long as its change is the row's winner, or until the row's newer changes are read. New
 * references of a row are written in parts, and its older ones are dropped afterwards. Two readers at once end with the
 * same references.
 */
import { setImmediate as yieldToLoop } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import type { SyncDatabase } from '../../database/types.ts'
import { parseJson } from '../../../shared/parse-json.ts'
import { isStorable } from '../../lib/storable-text.ts'
import { maxPayloadBytes } from '../../../shared/limits.ts'
import { logOf } from '../../sync/log.ts'
import { digestOf, readFileHashes } from './digest.ts'

/** Rows of the log per read, which takes a few milliseconds. */
const rowsPerLook = 500

/** Bytes of payloads per read, or one payload alone: parsing the largest takes some 20 ms. */
const maxTextBytes = maxPayloadBytes

/** A row may name 60,000 files. At ten microseconds each, written at once they would block the writer for 0.6 s. */
const referencesPerWrite = 1_000

/** Longer than any hash; a longer text would be somebody's payload. */
const maxHashLength = 256

interface Reading { database: SyncDatabase, workspaceId: string, head: number }

/** Brings the references up to the log's head at the time of the call. */
export async function readOnReferences(database: SyncDatabase, workspaceId: string): Promise<void> {
  const [counter] = await database.read.all<{ head: number, read: number }>(sql`
    select head, ${readVersionOf(workspaceId)} as read from logs where workspace_id = ${workspaceId}`)
  if (!counter) return
  const reading = { database, workspaceId, head: counter.head }
  for (let read = counter.read; read < counter.head;) read = await readOn(reading, read)
}

/** Up to where the log has been read. */
export function readVersionOf(workspaceId: string) {
  return sql`coalesce((select read_version from file_reference_progress where workspace_id = ${workspaceId}), 0)`
}

interface LogRow { version: number, tableName: string, pk: string, winner: number | null, bytes: number | null }

/** Reads one part of the log; returns the version where the next part begins. */
async function readOn(reading: Reading, after: number): Promise<number> {
  const { database, workspaceId, head } = reading
  const rows = await database.read.all<LogRow>(sql`
    select c.server_version as version, c.table_name as "tableName", c.pk, r.server_version as winner,
      octet_length(c.payload) as bytes
    from changes c
    left join records r on r.log_id = c.log_id and r.table_name = c.table_name and r.pk = c.pk
    where c.log_id = ${logOf(workspaceId)} and c.server_version > ${after} and c.server_version <= ${head}
    order by c.server_version limit ${rowsPerLook}`)
  // A row whose winner is beyond the head may have had any of its changes as its winner at the head.
  const counted = rows.filter(({ tableName, version, winner }) =>
    (tableName === 'messages' || tableName === 'posts') && winner !== null && (winner === version || winner > head))
  await addReferences(reading, counted)
  await dropOlder(reading, counted.filter(({ version, winner }) => version === winner))
  const read = rows.length < rowsPerLook ? head : rows.at(-1)!.version
  await database.write(tx => tx.run(sql`
    insert into file_reference_progress (workspace_id, read_version) values (${workspaceId}, ${read})
    on conflict (workspace_id) do update set read_version = max(read_version, excluded.read_version)`))
  await yieldToLoop()
  return read
}

type Reference = [digest: string, tableName: string, pk: string, hash: string, version: number]

async function addReferences(reading: Reading, rows: readonly LogRow[]): Promise<void> {
  let waiting: Reference[] = []
  for (const group of groupBySize(rows)) {
    const payloads = await readPayloads(reading, group)
    for (const { version, tableName, pk } of group) {
      for (const hash of hashesOf(payloads.get(version))) waiting.push([digestOf(hash), tableName, pk, hash, version])
    }
    if (waiting.length < referencesPerWrite) continue
    await yieldToLoop()
    await writeReferences(reading, waiting)
    waiting = []
  }
  await writeReferences(reading, waiting)
}

function* groupBySize(rows: readonly LogRow[]): Generator<LogRow[]> {
  let [group, bytes] = [[] as LogRow[], 0]
  for (const row of rows) {
    if (group.length > 0 && bytes + (row.bytes ?? 0) > maxTextBytes) {
      yield group
      ;[group, bytes] = [[], 0]
    }
    group.push(row)
    bytes += row.bytes ?? 0
  }
  if (group.length > 0) yield group
}

/** The payloads of those puts that name files. */
async function readPayloads({ database, workspaceId }: Reading, rows: readonly LogRow[]): Promise<Map<number, string>> {
  const found = await database.read.all<{ version: number, payload: string }>(sql`
    select c.server_version as version, c.payload
    from json_each(${JSON.stringify(rows.map(row => row.version))}) v
    cross join changes c on c.log_id = ${logOf(workspaceId)} and c.server_version = v.value
    where c.op = 'put' and instr(c.payload, '"file_hashes"')`)
  return new Map(found.map(({ version, payload }) => [version, payload]))
}

function hashesOf(payload: string | undefined): string[] {
  if (payload === undefined) return []
  const { deleted, file_hashes: value } = parseJson(payload) as { deleted?: unknown, file_hashes?: unknown }
  return deleted === true ? [] : readFileHashes(value).filter(hash => hash.length <= maxHashLength && isStorable(hash))
}

/** A reference of a later change stays, so that a slower reader does not undo it. */
async function writeReferences({ database, workspaceId }: Reading, references: readonly Reference[]): Promise<void> {
  for (let from = 0; from < references.length; from += referencesPerWrite) {
    const part = JSON.stringify(references.slice(from, from + referencesPerWrite))
    await database.write(tx => tx.run(sql`
      insert into file_references (workspace_id, digest, table_name, pk, hash, server_version)
      select ${workspaceId}, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 from json_each(${part})
      where true
      on conflict do update set hash = excluded.hash, server_version = excluded.server_version
        where excluded.server_version > file_references.server_version`))
    await yieldToLoop()
  }
}

interface StoredReference { id: number, of: number }

/** Drops the references of the rows' changes before their winners. */
async function dropOlder(reading: Reading, winners: readonly LogRow[]): Promise<void> {
  let waiting: StoredReference[] = []
  for (const { tableName, pk, version } of winners) {
    for (let after = 0, hasMore = true; hasMore;) {
      const found = await reading.database.read.all<StoredReference>(sql`
        select rowid as id, server_version as "of" from file_references
        where workspace_id = ${reading.workspaceId} and table_name = ${tableName} and pk = ${pk} and rowid > ${after}
        order by rowid limit ${referencesPerWrite}`)
      waiting.push(...found.filter(({ of }) => of < version))
      hasMore = found.length === referencesPerWrite
      if (hasMore) {
        after = found.at(-1)!.id
        await yieldToLoop()
      }
      if (waiting.length < referencesPerWrite) continue
      await dropReferences(reading, waiting)
      waiting = []
    }
  }
  if (waiting.length > 0) await dropReferences(reading, waiting)
}

async function dropReferences(
  { database, workspaceId }: Reading,
  references: readonly StoredReference[],
): Promise<void> {
  // The version is compared too, since the rowid may belong to another reference meanwhile.
  await database.write(tx => tx.run(sql`
    delete from file_references where rowid in (
      select f.rowid from json_each(${JSON.stringify(references)}) v
      cross join file_references f on f.rowid = v.value ->> 'id'
      where f.workspace_id = ${workspaceId} and f.server_version = v.value ->> 'of')`))
  await yieldToLoop()
}
