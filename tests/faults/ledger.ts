/**
 * What the devices of a fault run sent and what they were told, kept outside of the server, and how a database file is
 * compared with it. The model of the winner is written anew here. Upholds P1 to P4.
 */
import { DatabaseSync } from 'node:sqlite'
import type { PendingOp, PushResultItem } from '../../shared/protocol.ts'

export interface Ledger {
  sent(workspaceId: string, ops: readonly PendingOp[]): void
  told(workspaceId: string, receipts: readonly PushResultItem[]): void
  readonly acked: number
  /** The newest version that an op of the device was answered with. */
  newestOf(deviceId: string): number | undefined
  /** Two answers to one op that name different versions, or an op that was refused. */
  readonly contradictions: string[]
  check(dbPath: string): Check
}

export interface Check {
  /** Acknowledged, and not in the log at the version of the answer, or with another content. */
  lost: number
  duplicates: number
  holes: number
  wrongWinners: number
  /** In the log and sent by nobody. */
  ghosts: number
  /** What SQLite itself finds. */
  damage: string[]
}

export function createLedger(): Ledger {
  const sent = new Map<string, PendingOp>()
  const acked = new Map<string, number>()
  const contradictions: string[] = []
  const newest = new Map<string, number>()
  const idOf = (workspaceId: string, opId: string) => `${workspaceId} ${opId}`

  function noteAcked(id: string, version: number) {
    acked.set(id, version)
    const device = sent.get(id)?.stamp.deviceId ?? ''
    newest.set(device, Math.max(newest.get(device) ?? 0, version))
  }

  function check(dbPath: string): Check {
    const database = new DatabaseSync(dbPath, { readOnly: true, timeout: 5_000 })
    try {
      return compare(database)
    }
    finally {
      database.close()
    }
  }

  function compare(database: DatabaseSync): Check {
    const found: Check = { lost: 0, duplicates: 0, holes: 0, wrongWinners: 0, ghosts: 0, damage: findDamage(database) }
    const stored = new Map<string, number>()
    const winners = new Map<string, Row>()
    const next = new Map<string, number>()
    // Not by an index that a damaged file may have: the table itself is read.
    for (const row of database.prepare('select c.*, l.workspace_id from changes c not indexed left join logs l on l.id = c.log_id order by c.log_id, c.server_version').all() as unknown as Row[]) {
      const id = idOf(row.workspace_id, row.op_id)
      if (stored.has(id)) found.duplicates++
      stored.set(id, row.server_version)
      const expected = next.get(row.workspace_id) ?? 1
      if (row.server_version !== expected) found.holes++
      next.set(row.workspace_id, row.server_version + 1)
      const op = sent.get(id)
      if (!op) found.ghosts++
      else if (!isOp(row, op)) found.lost++
      const key = `${row.workspace_id} ${row.table_name} ${row.pk}`
      const winner = winners.get(key)
      if (!winner || beats(row, winner)) winners.set(key, row)
    }
    for (const [id, version] of acked) if (stored.get(id) !== version) found.lost++
    for (const { workspace_id, head } of database.prepare('select workspace_id, head from logs').all()) {
      if ((next.get(String(workspace_id)) ?? 1) - 1 !== head) found.holes++
    }
    const records = database.prepare('select r.*, l.workspace_id from records r left join logs l on l.id = r.log_id').all()
    if (records.length !== winners.size) found.wrongWinners++
    for (const { workspace_id, table_name, pk, server_version, tombstone_version } of records) {
      const winner = winners.get(`${workspace_id} ${table_name} ${pk}`)
      if (winner?.server_version !== server_version || (winner?.op === 'delete') !== (tombstone_version !== null)) found.wrongWinners++
    }
    return found
  }

  return {
    sent(workspaceId, ops) {
      for (const op of ops) sent.set(idOf(workspaceId, op.stamp.opId), op)
    },
    told(workspaceId, receipts) {
      for (const { opId, success, serverVersion, errorCode, error } of receipts) {
        const id = idOf(workspaceId, opId)
        if (!success || serverVersion === undefined) contradictions.push(`${opId}: ${errorCode} ${error}`)
        else if ((acked.get(id) ?? serverVersion) !== serverVersion) contradictions.push(`${opId}: ${acked.get(id)} and ${serverVersion}`)
        else noteAcked(id, serverVersion)
      }
    },
    newestOf: deviceId => newest.get(deviceId),
    get acked() {
      return acked.size
    },
    contradictions,
    check,
  }
}

interface Row {
  workspace_id: string
  server_version: number
  table_name: string
  pk: string
  op: string
  clock: number
  hlc: string
  op_id: string
  payload: string | null
}

function isOp(row: Row, { stamp, operation, pk, payload }: PendingOp): boolean {
  return row.op === operation && row.pk === pk && row.clock === stamp.clock && row.hlc === stamp.hlc
    && row.payload === (payload === undefined ? null : JSON.stringify(payload))
}

function beats(a: Row, b: Row): boolean {
  if (a.clock !== b.clock) return a.clock > b.clock
  return a.hlc === b.hlc ? a.op_id > b.op_id : a.hlc > b.hlc
}

export function findDamage(database: DatabaseSync): string[] {
  const problems = database.prepare('pragma integrity_check').all().map(row => String(row['integrity_check'])).filter(text => text !== 'ok')
  const orphans = database.prepare('pragma foreign_key_check').all().length
  return orphans === 0 ? problems : [...problems, `${orphans} rows refer to nothing`]
}
