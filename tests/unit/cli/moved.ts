/** What the import tests share: an old database in a temp folder, moved, and opened as the server opens it. */
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { runImport } from '../../../cli/import/run.ts'
import type { createSyncGatewayAdapter } from '../../../server/host/sync-adapter/adapter.ts'
import type { SnapshotItem, SyncChange } from '../../../shared/protocol.ts'
import { createOldDatabase } from '../../fixtures/incumbent/old-database.ts'
import { layerMigrations, makeTempFolder, openTestDatabase } from '../../helpers/database.ts'
import { eventOf } from '../../helpers/sync.ts'
import { adapterOf } from '../../helpers/engine.ts'

export interface OldFile { from: string, to: string, database: DatabaseSync }

export async function makeOldFile(revision?: number): Promise<OldFile> {
  const folder = await makeTempFolder()
  const from = join(folder, 'old.db')
  return { from, to: join(folder, 'new', 'sync.db'), database: createOldDatabase(from, revision) }
}

/** Closes the old file, as a stopped server does, and moves it. */
export async function move({ from, to, database }: OldFile) {
  database.close()
  const report = await runImport({ from, to, migrations: layerMigrations })
  const moved = await openTestDatabase({ path: to })
  return { report, moved, adapter: adapterOf(moved) }
}

export type Adapter = ReturnType<typeof createSyncGatewayAdapter>

export async function pullAll(adapter: Adapter, workspaceId: string, { cursor = 0, user = 'ada', limit = 7, history = true } = {}) {
  const changes: SyncChange[] = []
  let requiresSnapshot = false
  for (let hasMore = true; hasMore;) {
    const page = await adapter.pull(eventOf(user, workspaceId), { scope: { workspaceId }, cursor, limit, history })
    changes.push(...page.changes)
    requiresSnapshot ||= page.requiresSnapshot
    cursor = page.nextCursor
    hasMore = page.hasMore
  }
  return { changes, cursor, requiresSnapshot }
}

export async function snapshotAll(adapter: Adapter, workspaceId: string, user = 'ada'): Promise<SnapshotItem[]> {
  const items: SnapshotItem[] = []
  for (let pageToken: string | undefined; ;) {
    const page = await adapter.snapshot(eventOf(user, workspaceId), { scope: { workspaceId }, pageSize: 3, pageToken })
    items.push(...page.items)
    if (page.nextPageToken === null) return items
    pageToken = page.nextPageToken
  }
}

type State = Map<string, unknown>

/** The live rows after all changes are resolved as a device does it, by `table/pk`. */
export function resolve(changes: readonly SyncChange[], state = new Map<string, SyncChange>()): State {
  for (const change of changes) {
    const key = `${change.tableName}/${change.pk}`
    const known = state.get(key)
    if (!known || isNewer(change, known)) state.set(key, change)
  }
  return new Map([...state].filter(([, change]) => change.op === 'put').map(([key, change]) => [key, change.payload]))
}

function isNewer({ stamp: a }: SyncChange, { stamp: b }: SyncChange): boolean {
  return a.clock > b.clock || (a.clock === b.clock && a.hlc >= b.hlc)
}

/** The live rows that the old database shows. */
export function oldState(database: DatabaseSync, workspaceId: string): State {
  const tables = database.prepare('select name from sqlite_master where name like \'s!_%\' escape \'!\' and type = \'table\'').all() as { name: string }[]
  return new Map(tables.flatMap(({ name }) => database.prepare(`select id, data_json as data from ${name} where workspace_id = ? and deleted = 0`)
    .all(workspaceId).map(row => [`${name.slice(2)}/${row['id']}`, JSON.parse(String(row['data'])) as unknown] as const)))
}

export function sorted(state: State): [string, unknown][] {
  return [...state].sort(([a], [b]) => a < b ? -1 : 1)
}
