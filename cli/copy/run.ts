/**
 * Copies a whole database of the layer into another one: a file to a database server, or back. It goes on where it was
 * interrupted, and compares every row of the two in the end. No server may have either open.
 */
import { eq } from 'drizzle-orm'
import { isServerUrl, readDatabaseConfig, readDatabaseTarget } from '../../server/config/database.ts'
import { openDatabase } from '../../server/database/local/open.ts'
import type { Migration } from '../../server/database/migrate.ts'
import { openRemoteDatabase } from '../../server/database/remote/open-remote.ts'
import { layerState } from '../../server/database/schema/index.ts'
import type { SyncDatabase } from '../../server/database/types.ts'
import { copyTable, countRows, fingerprintTable, listTables, type TableSpec } from './tables.ts'

export interface CopyOptions {
  /** A file path or the address of a database server. */
  from: string
  to: string
  /** For `OR3_SQLITE_AUTH_TOKEN`, and `OR3_SQLITE_FROM_AUTH_TOKEN` where the source has another. */
  env: Record<string, string | undefined>
  migrations: readonly Migration[]
  signal?: AbortSignal | undefined
  onProgress?: ((table: string, rows: number) => void) | undefined
}

export interface CopyResult {
  tables: number
  rows: number
  /** Copied by this run; fewer than `rows` where an earlier one was interrupted. */
  copied: number
  /** SHA-256 of every row of every table, equal in both. */
  fingerprint: string
  tookMs: number
}

/** In `layer_state` of the target while it is not whole. */
const markName = 'copying'

/**
 * Throws an `Error` with one sentence: a target with other data, a source that has changed, a copy that is not equal.
 */
export async function copyDatabase(
  { from, to, env, migrations, signal, onProgress }: CopyOptions,
): Promise<CopyResult> {
  const startedAt = performance.now()
  if (from === to) throw new Error('The source and the target are one: give two databases.')
  const source = await open(
    from,
    { ...env, OR3_SQLITE_AUTH_TOKEN: env['OR3_SQLITE_FROM_AUTH_TOKEN'] || env['OR3_SQLITE_AUTH_TOKEN'] },
    migrations,
  )
  try {
    const target = await open(to, env, migrations)
    try {
      const tables = listTables()
      await markTarget(target, tables, from)
      let copied = 0
      for (const table of tables) {
        for await (const rows of copyTable(source, target, table)) {
          copied += rows
          onProgress?.(table.name, copied)
          signal?.throwIfAborted()
        }
      }
      const { rows, fingerprint } = await verify(source, target, tables)
      await target.write(tx => tx.delete(layerState).where(eq(layerState.name, markName)))
      return { tables: tables.length, rows, copied, fingerprint, tookMs: Math.round(performance.now() - startedAt) }
    }
    finally {
      await target.close()
    }
  }
  finally {
    await source.close()
  }
}

function open(place: string, env: CopyOptions['env'], layer: readonly Migration[]): Promise<SyncDatabase> {
  const own = { ...env, OR3_SQLITE_DB_PATH: place }
  if (!isServerUrl(place)) return openDatabase(readDatabaseConfig(own), { layer, app: [] })
  const target = readDatabaseTarget(own)
  if (!('url' in target)) throw new Error(`${place} is not the address of a database server.`)
  return openRemoteDatabase(target, { layer, app: [] })
}

/** The mark says that what is there is a part of this copy; without one the target must be empty. */
async function markTarget(target: SyncDatabase, tables: readonly TableSpec[], from: string) {
  const [mark] = await target.read.select().from(layerState).where(eq(layerState.name, markName))
  if (mark?.value === from) return
  if (mark) {
    throw new Error(`The target holds a part of a copy of ${mark.value}: go on with that, or take an empty database.`)
  }
  for (const table of tables) {
    if (await countRows(target, table) > 0) {
      throw new Error(`The target is not empty (${table.name}): a copy needs an empty database.`)
    }
  }
  await target.write(tx => tx.insert(layerState).values({ name: markName, value: from }))
}

async function verify(source: SyncDatabase, target: SyncDatabase, tables: readonly TableSpec[]) {
  let rows = 0
  const prints: string[] = []
  for (const table of tables) {
    const [was, is] = await Promise.all([fingerprintTable(source, table), fingerprintTable(target, table)])
    if (was.fingerprint !== is.fingerprint) {
      throw new Error(`The copy differs from the source in ${table.name} (${was.rows} and ${is.rows} rows): `
        + `stop all servers of both, and copy into an empty database.`)
    }
    rows += was.rows
    prints.push(was.fingerprint)
  }
  return {
    rows,
    fingerprint: prints.reduce((all, one) => all === '' ? one : `${all.slice(0, 32)}${one.slice(0, 32)}`, ''),
  }
}
