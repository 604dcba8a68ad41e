/**
 * The synced tables: their names, key fields and schemas. The seven tables of an OR3 host are built in; an app adds its
 * own with `registerSyncedTable` before the first request. A schema only checks: the payload is kept as it was sent.
 */
import { z } from 'zod'
import { createSyncError } from '../errors.ts'
import { isStorable } from '../lib/storable-text.ts'
import { maxTableNameLength } from '../../shared/limits.ts'
import { type StandardSchema, type SyncedTable as Definition, versionField } from '../../shared/synced-table.ts'

export interface SyncedTableOptions {
  /** The payload's field that equals the op's `pk`. */
  primaryKey: string
  /** Checks the payload of a put: a zod schema, or any other that follows Standard Schema. */
  schema?: StandardSchema | undefined
  /** The payload's field with the internal id of the one user who may see the row. */
  ownerKey?: string | undefined
  /** Fields that each client derives for itself; the server does not keep them. */
  derivedKeys?: readonly string[] | undefined
}

export interface SyncedTable extends SyncedTableOptions { name: string }

const syncedTables = new Map<string, SyncedTable>()
let sealed = false

/**
 * Adds a synced table; no migration is needed. Call it from a Nitro plugin, while the server starts. Takes what
 * `defineSyncedTable` made, or a name and options. Throws an `Error` for a name that is unusable or taken, and after
 * the first op was pushed.
 * @example registerSyncedTable(notes)
 * @example registerSyncedTable('notes', { primaryKey: 'id', schema: z.looseObject({ id: z.string() }) })
 */
export function registerSyncedTable(definition: Definition): void
/** The same with a name and options. */
export function registerSyncedTable(name: string, options: SyncedTableOptions): void
/** Both forms, told apart by the first argument. */
export function registerSyncedTable(first: string | Definition, given?: SyncedTableOptions): void {
  const name = typeof first === 'string' ? first : first.name
  const options = typeof first === 'string' ? given ?? { primaryKey: '' } : readDefinition(first)
  if (sealed) {
    throw new Error(
      `The synced table "${name}" is registered too late: register it in a server plugin, `
      + 'before the first op is pushed.',
    )
  }
  if (name.length === 0 || name.length > maxTableNameLength || !isStorable(name)) {
    throw new Error(`A synced table's name has 1 to ${maxTableNameLength} characters without NUL or lone surrogates.`)
  }
  if (syncedTables.has(name)) throw new Error(`There is already a synced table "${name}": choose another name.`)
  if (!options.primaryKey) {
    throw new Error(`The synced table "${name}" needs a primaryKey: the name of the payload's key field.`)
  }
  const { primaryKey, schema, ownerKey, derivedKeys } = options
  syncedTables.set(name, { name, primaryKey, schema, ownerKey, derivedKeys })
}

function readDefinition({ primaryKey, ownerKey, derivedKeys, schema }: Definition): SyncedTableOptions {
  return {
    primaryKey,
    ...ownerKey !== undefined && { ownerKey },
    ...derivedKeys && { derivedKeys },
    ...schema && { schema: withoutVersion(schema) },
  }
}

/** The same schema, which sees a row without the mark of its version: a strict schema would refuse it. */
function withoutVersion(schema: StandardSchema): StandardSchema {
  const { version, vendor, validate } = schema['~standard']
  return {
    '~standard': {
      version,
      vendor,
      validate(row) {
        if (typeof row !== 'object' || row === null || !(versionField in row)) return validate(row)
        const { [versionField]: _version, ...rest } = row
        return validate(rest)
      },
    },
  }
}

/** The table, or undefined where no such table is synced. The first call ends registration. */
export function findSyncedTable(name: string): SyncedTable | undefined {
  sealed = true
  return syncedTables.get(name)
}

/**
 * Throws INVALID_REQUEST where a filter names a table that is not synced: its cursor would move past everything.
 * Anything but a list of texts is left to the shape check. A host's clients may know tables that are not synced here,
 * so only the layer's own routes ask.
 */
export function refuseUnknownTables(tables: unknown): void {
  if (!Array.isArray(tables)) return
  const unknown = tables.find((name): name is string => typeof name === 'string' && !findSyncedTable(name))
  if (unknown === undefined) return
  throw createSyncError(
    'INVALID_REQUEST', `Unknown table: ${JSON.stringify(unknown.slice(0, maxTableNameLength))} is not synced`,
  )
}

/** True where the names contain every synced table. */
export function isEverySyncedTable(names: readonly string[]): boolean {
  return new Set(names).size >= syncedTables.size && [...syncedTables.keys()].every(name => names.includes(name))
}

const seconds = z.number()
const common = { deleted: z.boolean(), created_at: seconds, updated_at: seconds, clock: z.number() }

registerSyncedTable('threads', {
  primaryKey: 'id',
  schema: z.looseObject({
    id: z.string(), status: z.string(), pinned: z.boolean(), title: z.string().nullish(), ...common,
  }),
})
registerSyncedTable('messages', {
  primaryKey: 'id',
  schema: z.looseObject({
    id: z.string(), thread_id: z.string(), role: z.string(), index: z.number(), order_key: z.string(), ...common,
    file_hashes: z.string().nullish(),
  }),
})
registerSyncedTable('projects', {
  primaryKey: 'id',
  schema: z.looseObject({ id: z.string(), name: z.string(), ...common }),
})
registerSyncedTable('posts', {
  primaryKey: 'id',
  schema: z.looseObject({ id: z.string(), title: z.string(), content: z.string(), post_type: z.string(), ...common }),
})
registerSyncedTable('kv', {
  primaryKey: 'id',
  schema: z.looseObject({
    id: z.string(), name: z.string(), created_at: seconds, updated_at: seconds, clock: z.number(),
  }),
})
registerSyncedTable('file_meta', {
  primaryKey: 'hash',
  schema: z.looseObject({ hash: z.string(), ...common }),
  // Each device counts its own references.
  derivedKeys: ['ref_count'],
})
registerSyncedTable('notifications', {
  primaryKey: 'id',
  schema: z.looseObject({ id: z.string(), user_id: z.string(), type: z.string(), title: z.string(), ...common }),
  ownerKey: 'user_id',
})
