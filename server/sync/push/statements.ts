/**
 * The statements of a push: a constant number whatever its size, each over one JSON parameter (SQL that never changes,
 * prepared once, one round trip each to a remote server). The stamp travels as a JSON object's key and the payload as
 * its value, so that SQLite reads no payload twice.
 */
import { sql } from 'drizzle-orm'
import type { WriteTransaction } from '../../db/open.ts'
import { parseJson } from '../../parse-json.ts'
import type { SyncOperation, Winner } from '../gateway/types.ts'
import type { AdmittedOp } from './admit.ts'
import { type Before, keyOf, type LogEntry, type StoredOp, type StoredWinner } from './merge.ts'

type SeenTuple = [opId: string, serverVersion: number, tableName: string, pk: string, op: SyncOperation,
  clock: number, hlc: string, deviceId: string, payload: string | null]
type WinnerTuple = [tableName: string, pk: string, serverVersion: number, op: SyncOperation,
  clock: number, hlc: string, opId: string, ownerUserId: string | null]

/** The head, the ops of the batch that the log holds already, and the winners of the keys it touches. */
export async function readBefore(tx: WriteTransaction, workspaceId: string, ops: readonly AdmittedOp[]): Promise<Before> {
  const opIds = JSON.stringify(ops.map(op => op.opId))
  const keys = JSON.stringify(groupByTable(ops, () => 0))
  const [row] = await tx.all<{ head: number | null, seen: string, winners: string }>(sql`
    select
      (select head from heads where workspace_id = ${workspaceId}) as head,
      (select json_group_array(json_array(c.op_id, c.server_version, c.table_name, c.pk, c.op, c.clock, c.hlc, c.device_id, c.payload))
        from json_each(${opIds}) o
        cross join changes c on c.workspace_id = ${workspaceId} and c.op_id = o.value) as seen,
      (select json_group_array(json_array(r.table_name, r.pk, r.server_version, c.op, c.clock, c.hlc, c.op_id, c.owner_user_id))
        from json_each(${keys}) t
        cross join json_each(t.value) k
        cross join records r on r.workspace_id = ${workspaceId} and r.table_name = t.key and r.pk = k.key
        cross join changes c on c.workspace_id = ${workspaceId} and c.server_version = r.server_version) as winners`)
  return {
    head: row!.head ?? 0,
    seen: new Map((JSON.parse(row!.seen) as SeenTuple[]).map(seen => [seen[0], toStoredOp(seen)])),
    winners: new Map((JSON.parse(row!.winners) as WinnerTuple[]).map(winner => [keyOf({ tableName: winner[0], pk: winner[1] }), toStoredWinner(winner)])),
  }
}

function toStoredOp([opId, serverVersion, tableName, pk, operation, clock, hlc, deviceId, payload]: SeenTuple): StoredOp {
  return { opId, serverVersion, tableName, pk, operation, clock, hlc, deviceId, payload }
}

function toStoredWinner([, , serverVersion, operation, clock, hlc, opId, ownerUserId]: WinnerTuple): StoredWinner {
  return { serverVersion, operation, clock, hlc, opId, ownerUserId }
}

export async function appendLog(tx: WriteTransaction, workspaceId: string, log: readonly LogEntry[], now: number): Promise<void> {
  await tx.run(sql`
    insert into changes (workspace_id, server_version, table_name, pk, op, clock, hlc, device_id, op_id, owner_user_id, obsoletes, created_at, payload)
    select ${workspaceId}, key ->> 0, key ->> 1, key ->> 2, key ->> 3, key ->> 4, key ->> 5, key ->> 6, key ->> 7, key ->> 8, key ->> 9, ${now}, value
    from json_each(${toLogObject(log)})`)
}

/** Written by hand because the payloads are JSON text already. */
function toLogObject(log: readonly LogEntry[]): string {
  return `{${log.map(entry => `${JSON.stringify(JSON.stringify([
    entry.serverVersion, entry.tableName, entry.pk, entry.operation, entry.clock, entry.hlc,
    entry.deviceId, entry.opId, entry.ownerUserId, entry.obsoletes,
  ]))}:${entry.payload ?? 'null'}`).join()}}`
}

export async function pointRecords(tx: WriteTransaction, workspaceId: string, winners: readonly LogEntry[]): Promise<void> {
  await tx.run(sql`
    insert into records (workspace_id, table_name, pk, server_version)
    select ${workspaceId}, t.key, k.key, k.value
    from json_each(${JSON.stringify(groupByTable(winners, winner => winner.serverVersion))}) t cross join json_each(t.value) k
    where true
    on conflict (workspace_id, table_name, pk) do update set server_version = excluded.server_version`)
}

export async function moveHead(tx: WriteTransaction, workspaceId: string, head: number): Promise<void> {
  await tx.run(sql`
    insert into heads (workspace_id, head) values (${workspaceId}, ${head})
    on conflict (workspace_id) do update set head = excluded.head`)
}

/** What the winners at `versions` hold, for the receipts of ops that lost to them. */
export async function readWinners(tx: WriteTransaction, workspaceId: string, versions: readonly number[]): Promise<Map<number, Winner>> {
  const rows = await tx.all<{ version: number, op: SyncOperation, clock: number, hlc: string, opId: string, createdAt: number, payload: string | null }>(sql`
    select server_version as version, op, clock, hlc, op_id as "opId", created_at as "createdAt", payload
    from json_each(${JSON.stringify(versions)}) v
    cross join changes on workspace_id = ${workspaceId} and server_version = v.value`)
  return new Map(rows.map(({ version, op, clock, hlc, opId, createdAt, payload }) => {
    const revision = { clock, hlc, opId }
    return [version, op === 'put'
      ? { kind: 'put', payload: parseJson(payload ?? 'null'), revision }
      : { kind: 'delete', revision, serverDeletedAt: createdAt }]
  }))
}

/** `{ table: { pk: value } }`: two nested json_each read it without parsing a key. Safe for a pk of `__proto__`. */
function groupByTable<T extends { tableName: string, pk: string }>(items: readonly T[], toValue: (item: T) => number): Record<string, Record<string, number>> {
  const tables: Record<string, Record<string, number>> = Object.create(null)
  for (const item of items) {
    tables[item.tableName] ??= Object.create(null)
    tables[item.tableName]![item.pk] = toValue(item)
  }
  return tables
}
