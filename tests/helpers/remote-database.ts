/** A real, migrated database on a sqld that the tests of a file share, emptied for each that opens it. */
import { getTableName, is, sql, Table } from 'drizzle-orm'
import { afterAll, onTestFinished } from 'vitest'
import { openRemoteDatabase, type RemoteDatabase, type RemoteOptions } from '../../server/database/remote/open-remote.ts'
import * as schema from '../../server/database/schema/index.ts'
import { nowSeconds } from '../../server/lib/clock.ts'
import { layerMigrations } from './database.ts'
import { type Sqld, startSqld, type SqldOptions } from './sqld.ts'

/** Starts a sqld at the first use, and stops it after the tests of the file. */
export function useSqld(options: SqldOptions = {}): () => Promise<Sqld> {
  let starting: Promise<Sqld> | undefined
  afterAll(async () => (await starting)?.stop())
  return () => starting ??= startSqld(options)
}

export interface RemoteTestOptions extends RemoteOptions {
  url: string
  /** Leaves what is there. */
  keep?: boolean
}

/** Opens the database, by the clock of the test unless told otherwise; closed after the test. */
export async function openRemoteTestDatabase({ url, keep = false, ...options }: RemoteTestOptions): Promise<RemoteDatabase> {
  const database = await openRemoteDatabase({ url, synchronous: 'FULL' }, { layer: layerMigrations, app: [] }, { now: nowSeconds, ...options })
  onTestFinished(() => database.close())
  if (!keep) await empty(database)
  return database
}

async function empty(database: RemoteDatabase) {
  const tables = Object.values(schema).filter(entry => is(entry, Table)).map(table => getTableName(table))
  await database.write(async (tx) => {
    await tx.run(sql`pragma defer_foreign_keys = on`)
    for (const table of tables) await tx.run(sql`delete from ${sql.identifier(table)}`)
  })
}

/** Calls the methods of `engines` in turn: what one of them has done the others must know of. */
export function takeTurns<T extends object>(engines: readonly T[]): T {
  let calls = 0
  const [first] = engines
  return new Proxy(first!, {
    get: (_, name) => {
      const value: unknown = Reflect.get(first!, name)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        const engine = engines[calls++ % engines.length]!
        return (Reflect.get(engine, name) as (...args: unknown[]) => unknown).apply(engine, args)
      }
    },
  })
}
