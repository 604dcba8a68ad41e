/**
 * The sync history of each workspace: log, winners, tombstones, counter and device cursors. A key is read with all that
 * is known of it, turned into its history (history.ts), and written; nothing but the versions in use is kept in memory.
 */
import { createHash, type Hash } from 'node:crypto'
import { setImmediate as yieldToLoop } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import { nowSeconds } from '../../server/lib/clock.ts'
import type { SyncDatabase, WriteTransaction } from '../../server/database/types.ts'
import { changeBytes } from '../../server/sync/quota.ts'
import { beginLog } from '../../server/sync/log.ts'
import { inBatches } from './batches.ts'
import { buildHistory, type KeyHistory, type NewChange } from './history.ts'
import type { OldKey } from './old-rows.ts'
import { emptyWorkspaceReport, type ImportReport, reportUnreadable, type WorkspaceReport } from './report.ts'
import type { Source } from './source.ts'
import type { SourceWorkspace } from './source-workspace.ts'
import { createVersions, type Versions } from './versions.ts'

/** `onRows` hears how many rows of the old database were read. */
export async function importHistory(
  database: SyncDatabase,
  source: Source,
  report: ImportReport,
  onRows: (count: number) => void,
): Promise<void> {
  for (const workspaceId of source.workspaceIds()) {
    const counts = emptyWorkspaceReport(workspaceId)
    report.workspaces.push(counts)
    await importWorkspace(database, source, counts, report, onRows)
  }
  await importCursors(database, source, report)
  report.synced = await countSynced(database, source)
}

async function importWorkspace(
  database: SyncDatabase,
  source: Source,
  counts: WorkspaceReport,
  report: ImportReport,
  onRows: (count: number) => void,
): Promise<void> {
  const { id } = counts
  const workspace = source.open(id)
  const logId = await database.write(tx => beginLog(tx, id))
  const versions = createVersions(workspace.head, workspace.logVersions(), workspace.tombstoneVersions())
  const fingerprint = createHash('sha256')
  if (versions.hasGaps) await noteUnplaced(workspace, versions, onRows)
  for (const keys of inBatches(workspace.keys(), weighKey)) {
    const histories = keys.map(key => buildHistory(key, versions.place, opId => !workspace.hasOp(opId)))
    await database.write(tx => writeHistories(tx, logId, histories))
    for (const { changes, winner, restored, opIdsReplaced, unreadable, unreadableChanges } of histories) {
      counts.changes += changes.length - restored
      counts.restored += restored
      counts.unreadableChanges += unreadableChanges
      if (winner) counts[winner.op === 'put' ? 'rows' : 'tombstones']++
      if (winner) addToFingerprint(fingerprint, winner)
      report.opIdsReplaced += opIdsReplaced
      reportUnreadable(report, unreadable)
    }
    onRows(keys.reduce((total, key) => total + key.log.length + key.tombstones.length + (key.row ? 1 : 0), 0))
  }
  const { head, horizon } = versions
  Object.assign(counts, { oldHead: workspace.head, head, horizon, fingerprint: fingerprint.digest('hex') })
  await database.write(tx => tx.run(sql`
    update logs set head = ${head}, horizon = ${horizon},
      (used_bytes, used_rows) = (select coalesce(sum(${changeBytes}), 0), count(*) from changes where log_id = ${logId})
    where id = ${logId}`))
}

/** Which rows need a version is known only when all were seen, so a log with gaps is read twice. */
async function noteUnplaced(
  workspace: SourceWorkspace,
  versions: Versions,
  onRows: (count: number) => void,
): Promise<void> {
  for (const keys of inBatches(workspace.keys(), weighKey)) {
    for (const key of keys) buildHistory(key, row => (versions.note(row), row.wanted ?? 0))
    onRows(0)
    await yieldToLoop()
  }
}

function weighKey({ log, row }: OldKey): number {
  return log.reduce((weight, change) => weight + (change.payload?.length ?? 0), row?.data.length ?? 0)
}

/** Also what `verify.ts` makes of the finished file. */
export function addToFingerprint(
  hash: Hash,
  winner: Pick<NewChange, 'tableName' | 'pk' | 'op' | 'clock' | 'hlc' | 'opId' | 'payload'>,
): void {
  const { tableName, pk, op, clock, hlc, opId, payload } = winner
  hash.update(`${JSON.stringify([tableName, pk, op, clock, hlc, opId, payload])}\n`)
}

async function writeHistories(tx: WriteTransaction, logId: number, histories: readonly KeyHistory[]): Promise<void> {
  const changes = histories.flatMap(history => history.changes)
  for (const batch of inBatches(changes, change => change.payload?.length ?? 0)) {
    await tx.run(sql`
      insert into changes
        (log_id, server_version, table_name, pk, op, clock, hlc, device_id, op_id, owner_user_id,
          obsoletes, created_at, payload)
      select ${logId}, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
        value ->> 7,
        value ->> 8, value ->> 9, value ->> 10, value ->> 11
      from json_each(${JSON.stringify(batch.map(toColumns))})`)
  }
  await tx.run(sql`
    insert into records (log_id, table_name, pk, server_version, tombstone_version, tombstone_at)
    select ${logId}, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
    from json_each(${JSON.stringify(histories.filter(history => history.winner).map(toRecord))})`)
}

function toColumns(change: NewChange) {
  return [
    change.version, change.tableName, change.pk, change.op, change.clock, change.hlc, change.deviceId, change.opId,
    change.ownerUserId, change.obsoletes, change.createdAt, change.payload,
  ]
}

/** Of a tombstone the newest change of its key counts, winner or loser, as in a push. */
function toRecord({ changes, winner }: KeyHistory) {
  const newest = changes.at(-1)!
  const tombstone = winner!.op === 'delete' ? [newest.version, newest.createdAt] : [null, null]
  return [winner!.tableName, winner!.pk, winner!.version, ...tombstone]
}

/** The new count is one less for each row that the old table still shows although a newer delete has won. */
async function countSynced(database: SyncDatabase, source: Source): Promise<ImportReport['synced']> {
  const counted = await database.read.all<{ name: string, rows: number }>(sql`
    select table_name as name, count(*) as rows from records where tombstone_at is null group by table_name`)
  const rows = new Map(counted.map(({ name, rows }) => [name, rows]))
  const old = source.countLive()
  return [...new Set([...old.keys(), ...rows.keys()])].sort()
    .map(name => ({ name, old: old.get(name) ?? 0, new: rows.get(name) ?? 0 }))
}

/**
 * A cursor of an unknown user goes to the workspace's only member; where there are more it is left behind, since a
 * wrong owner would lock its device out. The device reports it again with its next sync.
 */
async function importCursors(database: SyncDatabase, source: Source, report: ImportReport): Promise<void> {
  const columns = ['workspace_id', 'device_id', 'last_seen_version', 'updated_at', 'owner_user_id']
  for (const batch of inBatches(source.rows('device_cursors', columns))) {
    const rows = JSON.stringify(batch)
    const { written, ownerless } = await database.write(async (tx) => {
      const { rowsAffected } = await tx.run(sql`
        insert or ignore into device_cursors (workspace_id, device_id, user_id, cursor, updated_at)
        select workspace_id, device_id, user_id, cursor, updated_at
        from (${cursorsOf(rows)}) where user_id is not null`)
      const [counted] = await tx.all<{ count: number }>(sql`
        select count(*) as count from (${cursorsOf(rows)}) where user_id is null`)
      return { written: rowsAffected, ownerless: counted!.count }
    })
    report.cursors.read += batch.length
    report.cursors.written += written
    report.cursors.ownerless += ownerless
  }
}

/** The batch's cursors of workspaces that have a log. */
function cursorsOf(rows: string) {
  return sql`
    select c.value ->> 'workspace_id' as workspace_id, c.value ->> 'device_id' as device_id,
      coalesce(c.value ->> 'owner_user_id', (
        select min(m.user_id) from workspace_members m
        where m.workspace_id = c.value ->> 'workspace_id' having count(*) = 1)) as user_id,
      min(l.head, c.value ->> 'last_seen_version') as cursor,
      min(${nowSeconds()}, c.value ->> 'updated_at') as updated_at
    from json_each(${rows}) c
    cross join logs l on l.workspace_id = c.value ->> 'workspace_id'`
}
