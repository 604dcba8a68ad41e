/**
 * Compares the finished file with the old one, independently of the import: every log row is unchanged at its version,
 * every key's winner is the greatest state in the old database, heads and fingerprints are equal.
 */
import { createHash } from 'node:crypto'
import { sql } from 'drizzle-orm'
import type { SyncDatabase } from '../../server/database/types.ts'
import type { Revision } from '../../shared/protocol.ts'
import { logOf } from '../../server/sync/log.ts'
import { compareRevisions } from '../../shared/revision.ts'
import { findWrong, type NewChange } from './history.ts'
import type { OldKey } from './old-rows.ts'
import type { ImportReport, WorkspaceReport } from './report.ts'
import type { Source } from './source.ts'
import { ImportError } from './source-file.ts'
import type { LoggedChange, SourceWorkspace } from './source-workspace.ts'
import { addToFingerprint } from './sync-history.ts'

type Stored = Pick<NewChange, 'version' | 'tableName' | 'pk' | 'op' | 'clock' | 'hlc' | 'opId' | 'payload'>

const rowsPerPage = 500

/** Throws `ImportError` that says where they differ; `onRows` hears how many rows of the old database were compared. */
export async function verifyImport(
  database: SyncDatabase,
  source: Source,
  report: ImportReport,
  onRows: (count: number) => void,
): Promise<void> {
  for (const counts of report.workspaces) {
    const workspace = source.open(counts.id)
    await verifyHead(database, workspace, counts)
    await verifyLog(database, workspace, counts, onRows)
    await verifyWinners(database, workspace, counts, onRows)
  }
  const [check] = await database.read.all<{ quick_check: string }>(sql`pragma quick_check(1)`)
  if (check?.quick_check !== 'ok') throw new ImportError(`The new file is damaged: ${check?.quick_check}`)
  const dangling = await database.read.all(sql`pragma foreign_key_check`)
  if (dangling.length > 0) throw new ImportError(`The new file has ${dangling.length} rows that refer to nothing.`)
}

async function verifyHead(database: SyncDatabase, workspace: SourceWorkspace, counts: WorkspaceReport): Promise<void> {
  const [found] = await database.read.all<{ head: number, newest: number, stored: number }>(sql`
    select head, (select coalesce(max(server_version), 0) from changes where log_id = logs.id) as newest,
      (select count(*) from changes where log_id = logs.id) as stored
    from logs where workspace_id = ${counts.id}`)
  if (found?.head !== counts.head || found.head < workspace.head || found.newest > found.head) differs(counts, 'head')
  if (found!.stored !== counts.changes + counts.restored) differs(counts, 'number of changes')
  if (workspace.countLog() !== counts.changes + counts.unreadableChanges) differs(counts, 'number of changes')
}

async function verifyLog(
  database: SyncDatabase,
  workspace: SourceWorkspace,
  counts: WorkspaceReport,
  onRows: (count: number) => void,
): Promise<void> {
  const stored = readPages<Stored>(after => database.read.all(sql`
    select server_version as version, table_name as "tableName", pk, op, clock, hlc, op_id as "opId", payload
    from changes
    where log_id = ${logOf(counts.id)} and server_version > ${after?.version ?? 0}
    order by server_version limit ${rowsPerPage}`))
  let missing = 0
  let next = await stored.next()
  for (const old of workspace.log()) {
    while (!next.done && next.value.version < old.version) next = await stored.next()
    if (next.done || !isSame(next.value, old)) missing++
    onRows(1)
  }
  if (missing > counts.unreadableChanges) differs(counts, 'log')
}

function isSame(stored: Stored, old: LoggedChange): boolean {
  return stored.version === old.version && stored.tableName === old.tableName
    && stored.pk === old.pk && stored.op === old.op
    && stored.clock === old.clock && stored.hlc === old.hlc && stored.payload === old.payload
}

async function verifyWinners(
  database: SyncDatabase,
  workspace: SourceWorkspace,
  counts: WorkspaceReport,
  onRows: (count: number) => void,
): Promise<void> {
  const winners = readPages<Stored>(after => database.read.all(sql`
    select c.server_version as version, c.table_name as "tableName", c.pk, c.op, c.clock,
      c.hlc, c.op_id as "opId", c.payload
    from records r cross join changes c on c.log_id = r.log_id and c.server_version = r.server_version
    where r.log_id = ${logOf(counts.id)} and (r.table_name, r.pk) > (${after?.tableName ?? ''}, ${after?.pk ?? ''})
    order by r.table_name, r.pk limit ${rowsPerPage}`))
  const fingerprint = createHash('sha256')
  let next = await winners.next()
  for (const key of workspace.keys()) {
    onRows(key.tombstones.length + (key.row ? 1 : 0))
    if (next.done || next.value.tableName !== key.tableName || next.value.pk !== key.pk) {
      if (readableStates(key).length > 0) differs(counts, `row ${key.tableName} ${key.pk}`)
      continue
    }
    if (!isWinner(next.value, key)) differs(counts, `row ${key.tableName} ${key.pk}`)
    addToFingerprint(fingerprint, next.value)
    next = await winners.next()
  }
  if (!next.done || fingerprint.digest('hex') !== counts.fingerprint) differs(counts, 'fingerprint')
}

/** No state of the old database is greater, and a live row with the winner's revision has the same content. */
function isWinner(winner: Stored, key: OldKey): boolean {
  const { row, log } = key
  if (readableStates(key).some(state => compareRevisions(state, { ...winner, opId: '' }) > 0)) return false
  const isState = row?.deleted === 0 && row.clock === winner.clock && row.hlc === winner.hlc
  return !isState || winner.op === 'delete' || winner.payload === row.data
    || log.some(change => change.version === winner.version && change.payload === winner.payload)
}

function readableStates({ row, tombstones, log }: OldKey): Revision[] {
  const rows = row && (row.deleted !== 0 || !findWrong('put', row.data)) ? [row] : []
  const changes = log.filter(change => !findWrong(change.op, change.payload))
  return [...rows, ...tombstones, ...changes].map(({ clock, hlc }) => ({ clock, hlc, opId: '' }))
}

async function* readPages<T>(readPage: (after: T | undefined) => Promise<T[]>): AsyncGenerator<T, undefined> {
  for (let page = await readPage(undefined); page.length > 0; page = await readPage(page.at(-1))) yield* page
  return undefined
}

function differs({ id }: WorkspaceReport, what: string): never {
  throw new ImportError(`The new file differs from the old one in workspace ${id}: ${what}. Nothing was put in place.`)
}
