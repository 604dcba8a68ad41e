/**
 * Synced rows for the server's own code: reads the current rows of a table, and writes rows as ops of the server's own
 * device. Such an op gets the next clock of its row and a later HLC than the row's, within the transaction, so it wins
 * over everything that was stored before it. Upholds P1 to P4.
 */
import { randomUUID } from 'node:crypto'
import { createHybridClock, createNode, type HybridClock } from '../../shared/hlc.ts'
import { maxClock } from '../../shared/limits.ts'
import type { JsonObject } from '../../shared/protocol.ts'
import { type RowOf, type SyncedTable, versionField } from '../../shared/synced-table.ts'
import { readSyncSettings } from '../config/sync.ts'
import type { WriteTransaction } from '../database/types.ts'
import { createSyncError } from '../errors.ts'
import { nowSeconds } from '../lib/clock.ts'
import type { SystemCaller } from './caller.ts'
import type { EngineContext } from './context.ts'
import { type Merge, keyOf, type StoredWinner } from './push/merge.ts'
import { readStoredState } from './push/reads.ts'
import { isValidOp, validateOp, type ValidOp } from './push/validate.ts'
import { writeOptimistic } from './push/write-ops.ts'
import { type PageOptions, readRow, readRowPage, type RowPage } from './row-pages.ts'

/** The device id of ops that the server's own code makes. */
const serverDeviceId = 'server'

/** What a transaction of the server's own code writes. A later call for a row replaces an earlier one. */
export interface RowWriter {
  /** The row as this transaction sees it; undefined where there is none. */
  get<Table extends SyncedTable>(table: Table, key: string): Promise<RowOf<Table> | undefined>
  /** Writes whole rows: fields that are left out are gone. */
  put<Table extends SyncedTable>(table: Table, ...rows: RowOf<Table>[]): void
  /** Deletes rows. A key without a row is left as it is. */
  remove(table: SyncedTable, ...keys: string[]): void
}

/** Only calls on `rows` and `tx` belong in it. It may run again, after a busy database. */
export type RowJob<T> = (rows: RowWriter, tx: WriteTransaction) => T | Promise<T>

export interface ServerRows {
  /** A page of the current rows of a table, in the order of their keys. */
  readPage<Table extends SyncedTable>(
    caller: SystemCaller, table: Table, options?: PageOptions<RowOf<Table>>,
  ): Promise<RowPage<RowOf<Table>>>
  /**
   * Runs `job` and writes its rows in one transaction; resolves after the commit with what `job` gave. Throws
   * INVALID_REQUEST for a row that does not fit its table or for too many rows, CONFLICT for a row that cannot be
   * changed any more, QUOTA_EXCEEDED, DATABASE_FULL, and then writes nothing.
   */
  write<T>(caller: SystemCaller, job: RowJob<T>): Promise<T>
}

interface Pending { table: SyncedTable, pk: string, row: JsonObject | null }

/** Makes the rows of one engine. */
export function createServerRows(context: EngineContext): ServerRows {
  const clock = createHybridClock({ node: createNode() })
  return {
    readPage: (caller, table, options = {}) => readRowPage(context.database, caller, table, options),
    async write(caller, job) {
      const isDiskShort = await context.disk.isShort()
      await context.quotas.prepare(caller.workspaceId)
      const { value, written } = await context.database.write(async (tx) => {
        const pending = new Map<string, Pending>()
        const value = await job(createRowWriter(tx, caller, pending), tx)
        if (isDiskShort) refusePuts(pending)
        return { value, written: await writePending(context, tx, caller, clock, [...pending.values()]) }
      })
      if (written && written.merge.log.length > 0) {
        context.commits.tell({ workspaceId: caller.workspaceId, head: written.merge.head })
        context.applied.tell(caller, written.ops, written.merge.receipts)
      }
      return value
    },
  }
}

function createRowWriter(tx: WriteTransaction, caller: SystemCaller, pending: Map<string, Pending>): RowWriter {
  const add = (table: SyncedTable, pk: string, row: JsonObject | null) =>
    pending.set(keyOf({ tableName: table.name, pk }), { table, pk, row })
  return {
    async get<Table extends SyncedTable>(table: Table, key: string) {
      const own = pending.get(keyOf({ tableName: table.name, pk: key }))
      return (own ? own.row ?? undefined : await readRow(tx, caller, table, key)) as RowOf<Table> | undefined
    },
    put(table, ...rows) {
      for (const row of rows as unknown as JsonObject[]) {
        const pk = row[table.primaryKey]
        if (typeof pk !== 'string') throw invalid(table, `a row needs its key in "${table.primaryKey}", as text`)
        add(table, pk, row)
      }
    },
    remove(table, ...keys) {
      for (const key of keys) add(table, key, null)
    },
  }
}

interface WrittenRows { ops: readonly ValidOp[], merge: Merge }

async function writePending(
  context: EngineContext, tx: WriteTransaction, caller: SystemCaller, clock: HybridClock, pending: Pending[],
): Promise<WrittenRows | undefined> {
  const { maxOpsPerPush } = readSyncSettings()
  if (pending.length > maxOpsPerPush) {
    throw createSyncError('INVALID_REQUEST', `One transaction writes at most ${maxOpsPerPush} rows: use several`)
  }
  if (pending.length === 0) return undefined
  const keys = pending.map(({ table, pk }) => ({ tableName: table.name, pk }))
  const { winners } = await readStoredState(tx, caller.workspaceId, keys)
  const ops = pending.flatMap((one) => {
    const winner = winners.get(keyOf({ tableName: one.table.name, pk: one.pk }))
    return one.row === null && winner?.operation !== 'put' ? [] : toOp(one, winner, caller, clock)
  })
  if (ops.length === 0) return undefined
  const merge = await writeOptimistic(context, tx, caller, ops)
  for (const { success, applied, error = 'The row was refused', errorCode } of merge.receipts) {
    if (!success) throw createSyncError(errorCode === 'OVERSIZED' ? 'QUOTA_EXCEEDED' : 'INVALID_REQUEST', error)
    if (!applied) {
      throw createSyncError(
        'CONFLICT', 'A row has the last clock there is, with a later HLC: it cannot be changed any more',
      )
    }
  }
  return { ops, merge }
}

/** As a push is refused: what is left of the disk is for deletes. */
function refusePuts(pending: ReadonlyMap<string, Pending>): void {
  if (![...pending.values()].some(({ row }) => row !== null)) return
  throw createSyncError('DATABASE_FULL', 'The server keeps what is left of its disk for deletes; nothing was written.')
}

function toOp(
  { table, pk, row }: Pending, winner: StoredWinner | undefined, caller: SystemCaller, hybrid: HybridClock,
) {
  if (winner) hybrid.observe(winner.hlc)
  const clock = winner ? Math.min(winner.clock + 1, maxClock) : 1
  const stamp = { deviceId: serverDeviceId, opId: randomUUID(), hlc: hybrid.tick(), clock }
  const op = validateOp(row === null
    ? { tableName: table.name, operation: 'delete', pk, stamp }
    : { tableName: table.name, operation: 'put', pk, payload: completeRow(table, row, stamp), stamp }, caller)
  if (isValidOp(op)) return op
  throw createSyncError('INVALID_REQUEST', op.error)
}

function completeRow(table: SyncedTable, row: JsonObject, { clock, hlc }: { clock: number, hlc: string }): JsonObject {
  const filled = table.fill ? table.fill(row, { clock, hlc, nowSeconds: nowSeconds() }) : row
  return table.version > 1 ? { ...filled, [versionField]: table.version } : filled
}

function invalid(table: SyncedTable, why: string) {
  return createSyncError('INVALID_REQUEST', `Invalid row for ${table.name}: ${why}`)
}
