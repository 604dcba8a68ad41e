/**
 * Rows as an app sees them: frozen, and in the shape that its code knows. A row of an older shape is migrated when it
 * is read; one of a newer shape is hidden, kept as it came, and not overwritten.
 */
import type { JsonObject, PendingOp } from '../shared/protocol.ts'
import { type StandardResult, type SyncedTable, versionField, type WriteStamp } from '../shared/synced-table.ts'

const migrated = new WeakMap<JsonObject, JsonObject | typeof hidden>()
const hidden = Symbol('hidden')

/** The row for the app; undefined where there is none, or none that this code can read. `row` is frozen already. */
export function presentRow(table: SyncedTable | undefined, row: JsonObject | undefined): JsonObject | undefined {
  if (!row) return undefined
  const from = readVersion(row)
  if (!table || from === table.version) return row
  if (from > table.version) return undefined
  let shown = migrated.get(row)
  if (shown === undefined) migrated.set(row, shown = migrate(table, row, from))
  return shown === hidden ? undefined : shown
}

/** True where the row's shape is newer than this code's, or cannot be migrated: then it must not be overwritten. */
export function isHiddenRow(table: SyncedTable | undefined, row: JsonObject | undefined): boolean {
  return row !== undefined && presentRow(table, row) === undefined
}

function migrate(table: SyncedTable, row: JsonObject, from: number): JsonObject | typeof hidden {
  try {
    return deepFreeze(copyJson(table.migrate!(row, from)))
  }
  catch {
    return hidden
  }
}

/** The same op in the present shape of its table; undefined where it has it, or a newer one, or cannot be migrated. */
export function migratePayload(table: SyncedTable | undefined, op: PendingOp): JsonObject | undefined {
  const payload = op.payload as JsonObject | undefined
  if (!table || op.operation === 'delete' || !payload || readVersion(payload) >= table.version) return undefined
  const row = presentRow(table, payload)
  return row && deepFreeze({ ...row, [table.primaryKey]: op.pk, [versionField]: table.version })
}

/**
 * The payload of a put: a copy as JSON carries it, checked by the table's schema.
 * Throws a `TypeError` where the row has no key or does not fit the schema.
 */
export function completeRow(table: SyncedTable, row: object, stamp: WriteStamp): JsonObject {
  const copy = copyJson(row)
  const filled = table.fill ? copyJson(table.fill(copy, stamp)) : copy
  const { [versionField]: _version, ...plain } = filled
  const result = table.schema?.['~standard'].validate(plain)
  // A schema that answers later cannot hold back a write that is on the screen at once: the server checks it.
  if (result && 'then' in result) void result.then(undefined, () => {})
  else if (result?.issues) throw new TypeError(`This row does not fit the table "${table.name}": ${describe(result)}`)
  return deepFreeze(table.version > 1 ? { ...plain, [versionField]: table.version } : plain)
}

function describe({ issues }: StandardResult): string {
  const { path = [], message } = issues?.[0] ?? { message: 'it is not valid' }
  const place = path.map(part => String(typeof part === 'object' && part && 'key' in part ? part.key : part)).join('.')
  return place ? `${place}: ${message}` : message
}

function readVersion(row: JsonObject): number {
  const version = row[versionField]
  return typeof version === 'number' ? version : 1
}

function copyJson(value: object): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject
}

/** Freezes a JSON value with all that is in it. */
export function deepFreeze<T extends object>(value: T): T {
  for (const key in value) {
    const inner = value[key]
    if (typeof inner === 'object' && inner !== null) deepFreeze(inner)
  }
  return Object.freeze(value)
}
