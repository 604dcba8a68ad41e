/** The writes of an app on one store: each becomes an op with its stamp; failed ones can be written again. */
import type { HybridClock } from '../shared/hlc.ts'
import { maxClock } from '../shared/limits.ts'
import type { JsonObject, PendingOp } from '../shared/protocol.ts'
import type { SyncedTable } from '../shared/synced-table.ts'
import { createUuid } from '../shared/uuid.ts'
import { keyOf } from './outbox.ts'
import { completeRow, deepFreeze, migratePayload } from './shape.ts'
import type { State } from './state.ts'
import type { WriteRow } from './store-table.ts'
import type { SyncFailure } from './store-types.ts'
import type { Commit, FailureRecord, OutboxItem } from './types.ts'
import type { Writer } from './writer.ts'

export interface Writes {
  /** Makes a table known. Throws an `Error` where another version of it is known. */
  define(definition: SyncedTable): void
  isDefined(name: string): boolean
  /** Brings ops that wait into the present shape of their tables. */
  migrateOps(): Promise<void>
  write: WriteRow
  importOps(ops: Iterable<PendingOp>): Promise<boolean>
  readonly failures: readonly SyncFailure[]
}

export interface WritesOptions {
  state: State
  writer: Writer
  clock: HybridClock
  /** The node of `clock`. */
  node: string
  now: () => number
  isClosed: () => boolean
  /** A write was stored. */
  onSaved: () => void
}

/** Creates the writes of one store. */
export function createWrites({ state, writer, clock, node, now, isClosed, onSaved }: WritesOptions): Writes {
  const { meta, outbox, failures } = state
  const defined = new Map<string, SyncedTable>()

  function define(definition: SyncedTable): void {
    state.table(definition.name).define(definition)
    defined.set(definition.name, definition)
  }

  /** Brings ops that wait into the present shape, as new ops: one that was received already keeps its content. */
  async function migrateOps(): Promise<void> {
    const isOld = ({ op }: OutboxItem) => migratePayload(defined.get(op.tableName), op) !== undefined
    if (![...outbox.items].some(isOld)) return
    await writer.update(() => {
      const old = [...outbox.items].filter(isOld)
      const putOps = old.map((item): OutboxItem => {
        const opId = createUuid()
        const stamp = { ...item.op.stamp, deviceId: meta.deviceId, opId, hlc: clock.tick() }
        const payload = migratePayload(defined.get(item.op.tableName), item.op)
        return { ...item, opId, op: { ...item.op, id: opId, payload, stamp } }
      })
      return { putOps, dropOps: old.map(({ opId }) => opId), meta: { hlc: clock.last }, node }
    })
  }

  const write: WriteRow = (table, operation, pk, makeRow, dropFailure) => {
    if (isClosed()) throw new Error('This store is closed.')
    const rows = state.table(table.name)
    if (rows.isHidden(pk)) throw new Error(`The row "${pk}" of "${table.name}" has a newer shape: update the app.`)
    const createdAt = now()
    // There the time decides: a higher clock would be refused.
    const clockOfRow = Math.min((rows.current(pk)?.clock ?? 0) + 1, maxClock)
    const stamp = { deviceId: meta.deviceId, opId: createUuid(), hlc: clock.tick(), clock: clockOfRow }
    const { opId } = stamp
    const nowSeconds = Math.floor(createdAt / 1000)
    const payload = operation === 'put'
      ? completeRow(table, makeRow(), { ...stamp, nowSeconds })
      : deepFreeze({ [table.primaryKey]: pk, deleted: true, deleted_at: nowSeconds })
    const op: PendingOp = {
      id: opId, tableName: table.name, operation, pk, payload, stamp, createdAt, attempts: 0, status: 'pending',
    }
    const replaced = outbox.ofKey(keyOf(table.name, pk)).filter(({ isWhole }) => !isWhole)
    return save({
      putOps: [{ opId, order: outbox.nextOrder(), op }],
      dropOps: replaced.map(item => item.opId),
      ...dropFailure && { dropFailures: [dropFailure] },
    })
  }

  async function save(commit: Commit): Promise<boolean> {
    const isNew = !state.nodes.has(node)
    const isDurable = await writer.write({ ...commit, meta: { hlc: clock.last }, ...isNew && { node } })
    onSaved()
    return isDurable
  }

  function presentFailure(record: FailureRecord): SyncFailure {
    const { op, opId } = record
    const row = op.operation === 'put' ? op.payload as JsonObject : undefined
    const discard = () => writer.write({ dropFailures: [opId] })
    return {
      ...record, table: op.tableName, pk: op.pk, row, discard,
      async retry() {
        const table = defined.get(op.tableName)
        if (!table) throw new Error(`The table "${op.tableName}" is not defined.`)
        return write(table, op.operation, op.pk, () => migratePayload(table, op) ?? row ?? {}, opId)
      },
    }
  }
  let shownFailures: readonly SyncFailure[] = []
  let shownOf = ''

  return {
    define,
    isDefined: name => defined.has(name),
    migrateOps,
    write,
    importOps(ops) {
      let order = outbox.nextOrder()
      const putOps = Array.from(ops, (op): OutboxItem => {
        clock.observe(op.stamp.hlc)
        return { opId: op.stamp.opId, order: order++, op: structuredClone(op), isWhole: true }
      })
      return save({ putOps })
    },
    get failures() {
      const ids = [...failures.keys()].join()
      if (ids !== shownOf) shownFailures = Object.freeze(Array.from(failures.values(), presentFailure))
      shownOf = ids
      return shownFailures
    },
  }
}
