/** The sync history of one workspace of the old database: its counter, and its keys one by one with all their rows. */
import { compareCodePoints } from '../../shared/revision.ts'
import type { OldChange, OldKey, OldRow, OldTombstone } from './old-rows.ts'
import { quote, rowTablePrefix, type SourceTables } from './source-tables.ts'

export interface SourceWorkspace {
  /** The counter, or what the log and the tombstones reach where it is behind them. */
  head: number
  logVersions(): Iterable<number>
  tombstoneVersions(): Iterable<number>
  hasOp(opId: string): boolean
  /** All keys, by table and key in code-point order. */
  keys(): Iterable<OldKey>
  countLog(): number
  /** The log rows that keep their version, in its order. */
  log(): Iterable<LoggedChange>
}

export type LoggedChange = OldChange & { version: number, tableName: string }

const logColumns = `rowid as id, server_version as version, pk, op, payload_json as payload,
  clock, coalesce(hlc, '') as hlc,
  coalesce(op_id, '') as "opId", coalesce(device_id, '') as "deviceId", created_at as "createdAt"`

/** The old column and the name it gets here. */
type Wanted = Record<string, string>

/** Reads one workspace of the old database. */
export function openSourceWorkspace(
  { columns, all, one }: SourceTables,
  rowTables: readonly string[],
  workspaceId: string,
): SourceWorkspace {
  const hasTombstones = columns.has('tombstones')
  const displaced = findDisplaced()

  /** The columns of a table, with '' for what is missing. */
  function pick(table: string, wanted: Wanted): string {
    return Object.entries(wanted)
      .map(([column, name]) => {
        const value = columns.get(table)?.has(column) ? `coalesce(${quote(column)}, '')` : '\'\''
        return `${value} as ${quote(name)}`
      })
      .join(', ')
  }

  /** Log rows that cannot keep their version, since an earlier one has it or it is none. */
  function findDisplaced(): Set<number> {
    const rows = all<{ id: number }>(`
      select id from (
        select rowid as id, server_version, row_number() over (partition by server_version order by rowid) as place
        from change_log where workspace_id = ?)
      where place > 1 or server_version < 1`, workspaceId)
    return new Set([...rows].map(row => row.id))
  }

  function* readLog(tableName: string): Iterable<OldChange> {
    const rows = all<OldChange & { id: number }>(`select ${logColumns} from change_log
      where workspace_id = ? and table_name = ? order by pk, server_version`, workspaceId, tableName)
    for (const { id, ...row } of rows) yield displaced.has(id) ? { ...row, version: null } : row
  }

  function* readWholeLog(): Iterable<LoggedChange> {
    const rows = all<LoggedChange & { id: number }>(`select table_name as "tableName", ${logColumns} from change_log
      where workspace_id = ? order by server_version`, workspaceId)
    for (const { id, ...row } of rows) if (!displaced.has(id)) yield row
  }

  function readRows(tableName: string): Iterable<OldRow> {
    const table = `${rowTablePrefix}${tableName}`
    if (!rowTables.includes(table)) return []
    const wanted = {
      id: 'pk', data_json: 'data', clock: 'clock', hlc: 'hlc', op_id: 'opId',
      device_id: 'deviceId', deleted: 'deleted', updated_at: 'updatedAt',
    }
    return all(`select ${pick(table, wanted)} from ${quote(table)} where workspace_id = ? order by id`, workspaceId)
  }

  function readTombstones(tableName: string): Iterable<OldTombstone> {
    if (!hasTombstones) return []
    const wanted = {
      pk: 'pk', clock: 'clock', hlc: 'hlc', op_id: 'opId', server_version: 'version', created_at: 'deletedAt',
    }
    return all(
      `select ${pick('tombstones', wanted)} from tombstones where workspace_id = ? and table_name = ? order by pk`,
      workspaceId, tableName,
    )
  }

  function tableNames(): string[] {
    const logged = all<{ name: string }>(
      `select distinct table_name as name from change_log where workspace_id = ?`, workspaceId,
    )
    const deleted = hasTombstones
      ? all<{ name: string }>(`select distinct table_name as name from tombstones where workspace_id = ?`, workspaceId)
      : []
    const names = [
      ...[...logged, ...deleted].map(row => row.name),
      ...rowTables.map(name => name.slice(rowTablePrefix.length)),
    ]
    return [...new Set(names)].sort(compareCodePoints)
  }

  function readHead(): number {
    const [counter, log, tombstones] = [
      'select value as n from server_version_counter',
      'select max(server_version) as n from change_log',
      'select max(server_version) as n from tombstones',
    ]
    return Math.max(0, ...[counter, log, ...hasTombstones ? [tombstones] : []]
      .map(sql => one<{ n: number | null }>(`${sql} where workspace_id = ?`, workspaceId)?.n ?? 0))
  }

  function* versionsOf(table: string): Iterable<number> {
    for (const { version } of all<{ version: number }>(
      `select server_version as version from ${table} where workspace_id = ?`,
      workspaceId,
    )) yield version
  }

  return {
    head: readHead(),
    logVersions: () => versionsOf('change_log'),
    tombstoneVersions: () => hasTombstones ? versionsOf('tombstones') : [],
    hasOp: opId =>
      one('select 1 from change_log where op_id = ? and workspace_id = ?', opId, workspaceId) !== undefined,
    countLog: () => one<{ n: number }>('select count(*) as n from change_log where workspace_id = ?', workspaceId)!.n,
    log: readWholeLog,
    * keys() {
      for (const tableName of tableNames()) {
        for (const [pk, log, rows, tombstones] of groupByPk(
          readLog(tableName),
          readRows(tableName),
          readTombstones(tableName),
        )) {
          yield { workspaceId, tableName, pk, log, row: rows[0], tombstones }
        }
      }
    },
  }
}

interface Keyed { pk: string }

/** Walks three streams in the order of their keys, side by side. */
function* groupByPk<A extends Keyed, B extends Keyed, C extends Keyed>(
  a: Iterable<A>,
  b: Iterable<B>,
  c: Iterable<C>,
): Iterable<[pk: string, a: A[], b: B[], c: C[]]> {
  const [first, second, third] = [createCursor(a), createCursor(b), createCursor(c)]
  for (;;) {
    const [pk] = [first.pk, second.pk, third.pk].filter(key => key !== undefined).sort(compareCodePoints)
    if (pk === undefined) return
    yield [pk, first.take(pk), second.take(pk), third.take(pk)]
  }
}

function createCursor<T extends Keyed>(stream: Iterable<T>) {
  const iterator = stream[Symbol.iterator]()
  let next = iterator.next()
  return {
    get pk() {
      return next.done ? undefined : next.value.pk
    },
    take(pk: string): T[] {
      const taken: T[] = []
      for (; !next.done && next.value.pk === pk; next = iterator.next()) taken.push(next.value)
      return taken
    },
  }
}
