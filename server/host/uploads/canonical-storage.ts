/**
 * Answers a host's file clean-up, which asks before it deletes a file: the files with live metadata, the rows that
 * refer to them, the reservations. Pages go by key, so that a change meanwhile neither repeats nor hides an entry.
 */
import { type SQL, sql } from 'drizzle-orm'
import { z } from 'zod'
import { nowSeconds } from '../../lib/clock.ts'
import type { SyncDatabase } from '../../database/types.ts'
import { createSyncError } from '../../errors.ts'
import { assertScope, type Caller } from '../../sync/caller.ts'
import { isStorable } from '../../lib/storable-text.ts'
import { logOf } from '../../sync/log.ts'
import type { CanonicalStorageItem, CanonicalStoragePage, CanonicalStorageRequest } from '../sync-adapter/types.ts'
import { parseRequest } from '../../lib/parse-request.ts'
import { digestOf } from './digest.ts'
import { readOnReferences, readVersionOf } from './file-references.ts'

const defaultLimit = 100
const maxLimit = 500
/** The longest key is some 1,400 characters, each at most six bytes of JSON, and base64 is a third longer. */
const maxCursorLength = 16_384

const kinds = ['live_metadata', 'reference_edges', 'active_reservations'] as const
const requestShape = z.object({
  scope: z.object({ workspaceId: z.string() }),
  kind: z.enum(kinds),
  cursor: z.string().max(maxCursorLength).optional(),
  limit: z.int().min(1).optional(),
  hash: z.string().min(1).max(256).optional(),
  now: z.number().optional(),
})

interface Page {
  workspaceId: string
  /** The key of the last entry of the page before; empty texts before the first. */
  after: readonly string[]
  /** Only the file with this digest. */
  digest: string | undefined
  now: number
  limit: number
}

/** An entry and the key the next page starts behind. */
type Entry = { key: string[], item: CanonicalStorageItem }

const readers = { live_metadata: readMetadata, reference_edges: readReferences, active_reservations: readReservations }

/** At most 500 entries a page. Throws 400, and 403 in another workspace. */
export async function queryCanonicalStorage(
  database: SyncDatabase,
  caller: Caller,
  input: CanonicalStorageRequest,
): Promise<CanonicalStoragePage> {
  const request = parseRequest(requestShape, input, 'Invalid storage query')
  const { scope, kind, cursor, limit = defaultLimit, hash, now = nowSeconds() } = request
  assertScope(caller, scope)
  const { workspaceId } = caller
  const size = Math.min(limit, maxLimit)
  const digest = hash === undefined ? undefined : digestOf(hash)
  const after = readCursor(kind, cursor)
  const entries = await readers[kind](database, { workspaceId, after, digest, now, limit: size + 1 })
  const page = entries.slice(0, size)
  const hasMore = entries.length > size
  const nextCursor = hasMore ? { nextCursor: writeCursor(kind, page.at(-1)!.key) } : {}
  return { items: page.map(entry => entry.item), hasMore, ...nextCursor }
}

async function readMetadata(database: SyncDatabase, { workspaceId, after, digest, limit }: Page): Promise<Entry[]> {
  const [pk = ''] = after
  // As JSON: a payload's text may hold half a surrogate pair, and a column with one ends the process in the driver.
  const rows = await database.read.all<{ pk: string, facts: string }>(sql`
    select r.pk, json_array(c.payload -> 'size_bytes', c.payload -> 'storage_id', c.payload -> 'updated_at') as facts
    from records r
    cross join changes c on c.log_id = r.log_id and c.server_version = r.server_version
    where r.log_id = ${logOf(workspaceId)} and r.table_name = 'file_meta' and r.pk > ${pk}
      and c.op = 'put' and c.payload ->> 'deleted' is not 1 ${isDigest(sql`r.pk`, digest)}
    order by r.pk limit ${limit}`)
  return rows.map(({ pk: hash, facts }) => {
    const [size, storageId, updatedAt] = JSON.parse(facts) as unknown[]
    return {
      key: [hash],
      item: {
        kind: 'metadata', hash: digestOf(hash), sizeBytes: numberOf(size), updatedAt: numberOf(updatedAt),
        ...typeof storageId === 'string' && isStorable(storageId) && { storageId },
      },
    }
  })
}

async function readReferences(
  database: SyncDatabase,
  { workspaceId, after: [afterDigest = '', afterTable = '', afterPk = ''], digest, limit }: Page,
): Promise<Entry[]> {
  await readOnReferences(database, workspaceId)
  const rows = await database.read.all<{ digest: string, tableName: 'messages' | 'posts', pk: string }>(sql`
    select f.digest, f.table_name as "tableName", f.pk from file_references f
    cross join records r on r.log_id = ${logOf(workspaceId)} and r.table_name = f.table_name and r.pk = f.pk
      and (r.server_version = f.server_version or r.server_version > ${readVersionOf(workspaceId)})
    where f.workspace_id = ${workspaceId}
      and (f.digest, f.table_name, f.pk) > (${afterDigest}, ${afterTable}, ${afterPk})
      ${digest === undefined ? sql`` : sql`and f.digest = ${digest}`}
    order by f.digest, f.table_name, f.pk limit ${limit}`)
  return rows.map(row => ({
    key: [row.digest, row.tableName, row.pk],
    item: { kind: 'reference', hash: row.digest, sourceTable: row.tableName, sourceId: row.pk },
  }))
}

async function readReservations(database: SyncDatabase, page: Page): Promise<Entry[]> {
  const { workspaceId, after: [id = ''], digest, now, limit } = page
  const rows = await database.read.all<{ id: string, hash: string, size: number, expiresAt: number }>(sql`
    select id, hash, size_bytes as size, expires_at as "expiresAt" from upload_intents
    where workspace_id = ${workspaceId} and id > ${id} and consumed_at is null and expires_at > ${now}
      ${isDigest(sql`hash`, digest)}
    order by id limit ${limit}`)
  return rows.map(row => ({
    key: [row.id],
    item: {
      kind: 'reservation',
      reservationId: row.id,
      hash: digestOf(row.hash),
      sizeBytes: row.size,
      expiresAt: row.expiresAt,
    },
  }))
}

function isDigest(hash: SQL, digest: string | undefined): SQL {
  return digest === undefined ? sql`` : sql`and lower(substr(${hash}, instr(${hash}, ':') + 1)) = ${digest}`
}

function numberOf(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0
}

function writeCursor(kind: string, key: string[]): string {
  return Buffer.from(JSON.stringify([kind, ...key])).toString('base64url')
}

function readCursor(kind: string, cursor: string | undefined): string[] {
  if (cursor === undefined) return []
  try {
    const [of, ...key] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[]
    if (of === kind && key.every(part => typeof part === 'string')) return key
  }
  catch {
    // Answered below.
  }
  const message = 'Invalid storage query: cursor: is not one of this query; start over without it'
  throw createSyncError('INVALID_REQUEST', message)
}
