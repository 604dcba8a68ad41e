/**
 * One definition of a synced table, for the server and the browser: its name, its key field, the shape of its rows.
 * No validation library is imported here. A schema is any object that follows Standard Schema (zod 4, valibot, …), so
 * a browser loads zod only where the app's own definition uses it.
 */
import { maxTableNameLength } from './limits.ts'
import type { JsonObject } from './protocol.ts'

/** The part of the Standard Schema interface that is used here. */
export interface StandardSchema<Row = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult | Promise<StandardResult>
    readonly types?: { readonly input: unknown, readonly output: Row } | undefined
  }
}

/** What a schema says of a value; with `issues`, the value does not fit. */
export interface StandardResult {
  readonly issues?: readonly { readonly message: string, readonly path?: readonly unknown[] | undefined }[] | undefined
}

/** The named fields of a type; an index signature, as `z.looseObject` infers one, would let any wrong field compile. */
type NamedFields<T> = { [K in keyof T as string extends K ? never : number extends K ? never : K]: T[K] }

/** The rows that a schema describes. */
export type RowOfSchema<Schema extends StandardSchema<object>>
  = NamedFields<NonNullable<Schema['~standard']['types']>['output']>

/** The names of the fields of a row that hold a text, so that they can be its key. */
export type TextField<Row> = { [K in keyof Row & string]-?: Row[K] extends string ? K : never }[keyof Row & string]

/** What only the moment of a write knows. */
export interface WriteStamp { readonly clock: number, readonly hlc: string, readonly nowSeconds: number }

export interface SyncedTableOptions<Row extends object, Key extends string> {
  /** The field that equals the op's `pk`. */
  primaryKey: Key
  /** The shape of a row. The server checks each put by it, and the browser each local one. */
  schema?: StandardSchema<object> | undefined
  /** The field with the internal id of the one user who may see the row. */
  ownerKey?: (keyof Row & string) | undefined
  /** Fields that each device derives for itself and the server does not keep. */
  derivedKeys?: readonly string[] | undefined
  /** Fields that `table.lookup()` finds rows by. */
  indexes?: readonly (keyof Row & string)[] | undefined
  /** Counts the shapes of this table's rows; 1 where it is left out. Above 1, each put carries it in the field `_v`. */
  version?: number | undefined
  /** Makes a row of the present shape from one of an older `fromVersion`. Must be pure; needed above version 1. */
  migrate?: ((row: JsonObject, fromVersion: number) => Row) | undefined
  /** Adds fields to a row when it is put, such as a counter that equals the op's clock. */
  fill?: ((row: JsonObject, stamp: WriteStamp) => JsonObject) | undefined
}

export interface SyncedTable<Name extends string = string, Row extends object = object, Key extends string = string> {
  readonly name: Name
  readonly primaryKey: Key
  readonly version: number
  readonly schema?: StandardSchema<object> | undefined
  readonly ownerKey?: string | undefined
  readonly derivedKeys?: readonly string[] | undefined
  readonly indexes: readonly string[]
  readonly migrate?: ((row: JsonObject, fromVersion: number) => Row) | undefined
  readonly fill?: ((row: JsonObject, stamp: WriteStamp) => JsonObject) | undefined
}

/** The rows of a defined table. */
export type RowOf<Table> = Table extends SyncedTable<string, infer Row, string> ? Row : never

/** The field of a put that says of which shape its row is. */
export const versionField = '_v'

/**
 * Defines a synced table. Throws an `Error` on a name of 0 or more than 128 characters, without a primary key, and on a
 * version that is no positive integer or, above 1, comes without `migrate`.
 *
 * @example
 * export const notes = defineSyncedTable('notes', {
 *   primaryKey: 'id',
 *   schema: z.looseObject({ id: z.string(), text: z.string(), done: z.boolean() }),
 * })
 * // Without a schema the type is named:
 * export const notes = defineSyncedTable<Note>('notes', { primaryKey: 'id' })
 */
export function defineSyncedTable<
  const Name extends string,
  Schema extends StandardSchema<object>,
  const Key extends TextField<RowOfSchema<Schema>>,
>(
  name: Name,
  options: SyncedTableOptions<RowOfSchema<Schema>, Key> & { schema: Schema },
): SyncedTable<Name, RowOfSchema<Schema>, Key>
export function defineSyncedTable<Row extends object>(
  name: string,
  options: SyncedTableOptions<Row, TextField<Row>> & { schema?: undefined },
): SyncedTable<string, Row, TextField<Row>>
export function defineSyncedTable(name: string, options: SyncedTableOptions<JsonObject, string>): SyncedTable {
  if (name.length === 0 || name.length > maxTableNameLength) {
    throw new Error(`A synced table's name has 1 to ${maxTableNameLength} characters.`)
  }
  if (!options.primaryKey) throw new Error(`The synced table "${name}" needs a primaryKey: the name of its key field.`)
  const version = options.version ?? 1
  if (!Number.isInteger(version) || version < 1) {
    throw new Error(`The synced table "${name}" has version ${version}: use 1, 2, 3 …`)
  }
  if (version > 1 && !options.migrate) {
    throw new Error(`The synced table "${name}" has version ${version}: it needs migrate(row, fromVersion).`)
  }
  return Object.freeze({ ...options, name, version, indexes: options.indexes ?? [] })
}
