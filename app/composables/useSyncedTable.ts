/**
 * A synced table in a component: rows that are in the server's HTML, there at once from this browser's store, and equal
 * on all devices a moment later.
 */
import type { ShallowRef } from 'vue'
import { onScopeDispose, onServerPrefetch, shallowRef, useState, watch } from '#imports'
import type { ListOptions, StoreId, StoreTable, Write } from '../../client/index.ts'
import type { RowOf, SyncedTable } from '../../shared/synced-table.ts'
import { mergeRendered, pickRows, presentRows, readKey } from '../sync/rows.ts'
import { useBrowserSync, usePageReader, useRenderedSession } from '../sync/render.ts'
import { type SyncViewStatus, useSyncStatus } from './useSyncStatus.ts'

export interface SyncedTableView<Row extends object> {
  /** Frozen rows, a new array exactly when the list has changed. */
  readonly rows: Readonly<ShallowRef<readonly Readonly<Row>[]>>
  /** The row of this key. */
  get(pk: string): Readonly<Row> | undefined
  /** The rows whose indexed `field` equals `value`. */
  lookup: StoreTable<Row>['lookup']
  /**
   * Writes a whole row; it is on the screen when the call returns. Throws a `TypeError` where it does not fit the
   * schema.
   */
  put(row: Row): Write
  /** Writes a row with some fields changed. Throws an `Error` where there is no such row. */
  patch(pk: string, change: Partial<Row>): Write
  /** Removes a row. */
  remove(pk: string): Write
  /** True while a write of this row waits for the server. */
  isPending(pk: string): boolean
  readonly status: Readonly<ShallowRef<SyncViewStatus>>
}

/**
 * The rows of a synced table, filtered and sorted, and the ways to change them.
 * @example const { rows, put, remove } = useSyncedTable(notes, { where: note => !note.done, sort: byTime })
 */
export function useSyncedTable<Table extends SyncedTable>(
  table: Table, options: ListOptions<Readonly<RowOf<Table>>> = {},
): SyncedTableView<RowOf<Table>> {
  type Row = RowOf<Table>
  // A snapshot of what the server rendered: the browser hydrates with the same rows.
  const rendered = useState<Row[]>(`or3-sync:rows:${table.name}`, () => [])
  const status = useSyncStatus()
  if (import.meta.server) {
    return renderRows(table, rendered, shallowRef(pickRows(rendered.value, options)), options, status)
  }

  const { store, followed } = useBrowserSync()
  const renderedFor = useRenderedSession().value
  /** What was rendered, where it is of this user and workspace; nobody else may see it. */
  const renderedOf = (id: StoreId | undefined) =>
    id && id.userId === renderedFor?.user.id && id.workspaceId === renderedFor.workspace.id ? rendered.value : []
  const rows = shallowRef<readonly Readonly<Row>[]>(pickRows(renderedOf(followed.value), options))
  const opened = shallowRef<StoreTable<Row> | undefined>()
  let close = () => {}
  watch([store, followed], ([found, id]) => {
    close()
    close = () => {}
    const stored = opened.value = found?.table(table)
    if (!found || !stored) {
      rows.value = pickRows(renderedOf(id), options)
      return
    }
    const list = stored.list(options)
    const isKnown = (row: Readonly<Row>) => {
      const pk = readKey(row, table.primaryKey)
      return stored.get(pk) !== undefined || stored.isPending(pk)
    }
    const show = () => {
      rows.value = found.status.isComplete
        ? list.rows
        : mergeRendered(renderedOf(found), list.rows, isKnown, options)
    }
    const stops = [list.subscribe(show), found.subscribe(show), () => list.close()]
    close = () => stops.forEach(stop => stop())
    show()
    // At once: what is written after a switch must not go to the workspace before.
  }, { immediate: true, flush: 'sync' })
  onScopeDispose(() => close())

  const requireTable = () => {
    if (opened.value) return opened.value
    throw new Error(`"${table.name}" is not open yet: write once useSyncStatus().value.isReady is true.`)
  }
  return {
    rows,
    get: pk => opened.value?.get(pk) ?? rows.value.find(row => readKey(row, table.primaryKey) === pk),
    lookup: (field, value) => opened.value?.lookup(field, value) ?? [],
    put: row => requireTable().put(row),
    patch: (pk, change) => requireTable().patch(pk, change),
    remove: pk => requireTable().remove(pk),
    isPending: pk => opened.value?.isPending(pk) ?? false,
    status,
  }
}

/** On the server: reads the rows before the component renders. Nothing can be written there. */
function renderRows<Table extends SyncedTable>(
  table: Table,
  rendered: { value: RowOf<Table>[] },
  rows: ShallowRef<readonly Readonly<RowOf<Table>>[]>,
  options: ListOptions<Readonly<RowOf<Table>>>,
  status: Readonly<ShallowRef<SyncViewStatus>>,
): SyncedTableView<RowOf<Table>> {
  const reader = usePageReader()
  onServerPrefetch(async () => {
    const session = await reader?.session()
    if (!session || !reader) return
    rendered.value = presentRows(table, await reader.rows(table.name, session.workspace.id))
    rows.value = pickRows(rendered.value, options)
  })
  const refuse = (): never => {
    throw new Error(`"${table.name}" is written in the browser: call put, patch and remove from event handlers.`)
  }
  return {
    rows,
    get: pk => rows.value.find(row => readKey(row, table.primaryKey) === pk),
    lookup: () => [],
    put: refuse,
    patch: refuse,
    remove: refuse,
    isPending: () => false,
    status,
  }
}
