/**
 * Reads an or3-provider-sqlite database of any revision from 001 to 017 by what its tables have, not by what its ledger
 * says. Everything comes in streams, so that its size does not matter.
 */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import { compareCodePoints } from '../../shared/revision.ts'
import { ImportError } from './source-file.ts'
import { quote, rowTablePrefix, type SourceTables } from './source-tables.ts'
import { openSourceWorkspace, type SourceWorkspace } from './source-workspace.ts'

export interface Source {
  /** Of its own ledger; 0 where it has none. */
  revision: number
  count(table: string): number
  /** All rows, without the columns that the table lacks; none where there is no such table. */
  rows(table: string, columns: readonly string[]): Iterable<Record<string, unknown>>
  /** The tables of materialised rows. */
  rowTables: string[]
  /** Rows that are not deleted, by the synced table's name. */
  countLive(): Map<string, number>
  /** Tables with rows that the import leaves behind. */
  unknownTables(): { name: string, rows: number }[]
  workspaceIds(): string[]
  open(workspaceId: string): SourceWorkspace
}

const otherTables = new Set([
  'users', 'auth_accounts', 'workspaces', 'workspace_members', 'auth_invites', 'admin_users',
  'admin_workspace_settings', 'upload_intents', 'server_version_counter', 'change_log', 'device_cursors', 'tombstones',
  'kysely_migration', 'kysely_migration_lock', 'webhook_registrations', 'webhook_delivery_logs', 'webhook_custom_hooks',
  'connect_device_authorizations', 'connect_environments',
])

/** Throws `ImportError` where the file is a database of something else. */
export function createSource(database: DatabaseSync, path: string): Source {
  const columns = readColumns(database)
  if (columns.has('__or3_layer_migrations')) {
    throw new ImportError(`${path} is a database of this layer already: there is nothing to move.`)
  }
  if (!columns.has('change_log') || !columns.has('server_version_counter')) {
    throw new ImportError(`${path} is not a database of or3-provider-sqlite: it has no change_log.`)
  }
  const tables: SourceTables = {
    columns,
    all: <T>(sql: string, ...args: SQLInputValue[]) => database.prepare(sql).iterate(...args) as Iterable<T>,
    one: <T>(sql: string, ...args: SQLInputValue[]) => database.prepare(sql).get(...args) as T | undefined,
  }
  const rowTables = [...columns.keys()].filter(name => name.startsWith(rowTablePrefix))
  const count = (table: string) => columns.has(table)
    ? tables.one<{ n: number }>(`select count(*) as n from ${quote(table)}`)!.n
    : 0

  return {
    revision: readRevision(tables),
    count,
    rowTables,
    countLive: () => new Map(rowTables.map(table => [
      table.slice(rowTablePrefix.length),
      tables.one<{ n: number }>(`select count(*) as n from ${quote(table)} where deleted = 0`)!.n,
    ])),
    * rows(table, wanted) {
      const present = wanted.filter(column => columns.get(table)?.has(column))
      if (present.length > 0) {
        yield* tables.all<Record<string, unknown>>(
          `select ${present.map(quote).join(', ')} from ${quote(table)} order by rowid`,
        )
      }
    },
    unknownTables: () => [...columns.keys()]
      .filter(name => !otherTables.has(name) && !rowTables.includes(name) && !name.startsWith('sqlite_'))
      .map(name => ({ name, rows: count(name) }))
      .filter(table => table.rows > 0),
    workspaceIds() {
      const holding = ['server_version_counter', 'change_log', 'tombstones', ...rowTables]
        .filter(name => columns.has(name))
      const union = holding.map(name => `select workspace_id as id from ${quote(name)}`).join(' union ')
      return [...tables.all<{ id: string }>(union)].map(row => row.id).sort(compareCodePoints)
    },
    open: workspaceId => openSourceWorkspace(tables, rowTables, workspaceId),
  }
}

function readColumns(database: DatabaseSync): Map<string, Set<string>> {
  const rows = database.prepare(`
    select t.name as "table", c.name as "column" from sqlite_master t join pragma_table_info(t.name) c
      where t.type = 'table'`)
    .all() as { table: string, column: string }[]
  const columns = new Map<string, Set<string>>()
  for (const { table, column } of rows) columns.set(table, (columns.get(table) ?? new Set()).add(column))
  return columns
}

/** Its migrations begin with their number. */
function readRevision({ columns, all }: SourceTables): number {
  if (!columns.has('kysely_migration')) return 0
  const names = [...all<{ name: string }>('select name from kysely_migration')].map(row => row.name)
  return Math.max(0, ...names.map(name => Number.parseInt(name) || 0))
}
