/**
 * What a device holds, as this page shows it: rows with their revision and server version, which an app seldom needs.
 * A row stays the same object until it changes, so that only the messages that changed are drawn again.
 */
import type { SyncStore } from '../../client/index.ts'
import type { JsonObject, Revision } from '../../shared/protocol.ts'

export interface Row {
  tableName: string
  pk: string
  payload: JsonObject
  revision: Revision
  /** The device that wrote it; a snapshot does not say. */
  deviceId: string | undefined
  serverVersion: number | undefined
}

export interface DeviceRows {
  rows(tableName: string): readonly Row[]
  get(tableName: string, pk: string): Row | undefined
  countTombstones(tableName: string): number
  /** The keys of the ops that the server has not answered. */
  pending(): ReadonlySet<string>
}

interface Table { rows: Row[], byKey: Map<string, Row>, tombstones: number }

/** Reads a store; `forget` after each change of it. */
export function createRowReader(store: SyncStore): DeviceRows & { forget(): void } {
  let tables: Map<string, Table> | undefined
  let before = new Map<string, Table>()

  function read(): Map<string, Table> {
    if (tables) return tables
    const found = new Map<string, Table>()
    for (const { table: tableName, pk, row, by, at, clock, hlc, opId } of store.entries()) {
      const table = found.get(tableName) ?? { rows: [], byKey: new Map<string, Row>(), tombstones: 0 }
      found.set(tableName, table)
      if (!row) {
        table.tombstones++
        continue
      }
      const held = before.get(tableName)?.byKey.get(pk)
      const isSame = held?.payload === row && held.revision.opId === opId && held.serverVersion === at
      const shown = isSame
        ? held
        : { tableName, pk, payload: row, revision: { clock, hlc, opId }, deviceId: by, serverVersion: at }
      table.rows.push(shown)
      table.byKey.set(pk, shown)
    }
    return tables = before = found
  }

  return {
    rows: tableName => read().get(tableName)?.rows ?? [],
    get: (tableName, pk) => read().get(tableName)?.byKey.get(pk),
    countTombstones: tableName => read().get(tableName)?.tombstones ?? 0,
    pending: () => new Set(store.outbox.map(({ pk }) => pk)),
    forget() {
      tables = undefined
    },
  }
}
