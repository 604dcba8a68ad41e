/** The layer in this process, for the fault runs that need no server: a database, a push into it, a disk that fills up. */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sql } from 'drizzle-orm'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { isError } from 'h3'
import { readDatabaseConfig } from '../../server/config/database.ts'
import { configureSync } from '../../server/config/sync.ts'
import { openDatabase } from '../../server/database/local/open.ts'
import type { SyncDatabase } from '../../server/database/types.ts'
import { readHealth } from '../../server/operations/health.ts'
import { makeOp } from './devices.ts'
import { makeSmallDisk, runDiskFull } from './disk-full.ts'
import { createLedger } from './ledger.ts'
import { adapterOf, engineOf } from '../helpers/engine.ts'

export const migrations = { layer: readMigrationFiles({ migrationsFolder: fileURLToPath(new URL('../../drizzle', import.meta.url)) }), app: [] }

const workspaceId = 'workspace-1'
const session = { authenticated: true, provider: 'test', providerUserId: 'u', user: { id: 'u' }, workspace: { id: workspaceId, name: 'W' }, role: 'owner' }
const event = { context: { __or3_session_context_1_test: session } } as never

export function openLayer(path: string): Promise<SyncDatabase> {
  return openDatabase(readDatabaseConfig({ OR3_SQLITE_DB_PATH: path, OR3_SQLITE_PRAGMA_SYNCHRONOUS: 'FULL' }), migrations)
}

/** In memory-backed storage where there is some: a disk that is slow for others' sake would look like a stop of ours. */
export async function inQuickFolder<T>(folder: string, work: (own: string) => Promise<T>): Promise<T> {
  const own = await mkdtemp('/dev/shm/or3-faults-').catch(() => mkdtemp(join(folder, 'quick-')))
  try {
    return await work(own)
  }
  finally {
    await rm(own, { recursive: true, force: true })
  }
}

/** A push of one row, whose answer and op go into the ledger. */
export function createPusher(database: SyncDatabase) {
  const ledger = createLedger()
  const adapter = adapterOf(database)
  return {
    ledger,
    async push(pk: string, bytes = 100) {
      const op = { ...makeOp({ workspaceId, deviceId: 'device-1' }), operation: 'put' as const, tableName: 'kv', pk }
      const payload = { id: pk, name: pk, value: 'x'.repeat(bytes), deleted: false, created_at: 1, updated_at: 1, clock: op.stamp.clock }
      ledger.sent(workspaceId, [{ ...op, payload }])
      const { results } = await adapter.push(event, { scope: { workspaceId }, ops: [{ ...op, payload }] })
      ledger.told(workspaceId, results)
    },
  }
}

/** `tell` is what becomes of the answer to a push. */
export async function fillDisk(cycles: number, tell: (answer: Promise<unknown>) => Promise<unknown>) {
  let database: SyncDatabase
  const limitPages = (extra: number | undefined) => database.write(async (tx) => {
    const [page] = await tx.all<{ page_count: number }>(sql`PRAGMA page_count`)
    await tx.run(sql.raw(`PRAGMA max_page_count = ${extra === undefined ? 2 ** 30 : page!.page_count + extra}`))
  })
  const disk = await makeSmallDisk(limitPages)
  // The end of the disk itself is met: it is smaller than the reserve.
  configureSync({ diskReserveBytes: 1 })
  try {
    database = await openLayer(join(disk.folder, `${randomUUID()}.db`))
    const { push } = createPusher(database)
    const uneven = { duplicates: 0, holes: 0 }
    const read = async () => (await database.read.all<{ pk: string }>(sql`select pk from changes`)).map(row => row.pk)
    const figures = await runDiskFull({
      disk, cycles, readIds: read, write: (id, bytes) => tell(push(id, bytes)),
      isRefusal: error => isError<{ code?: string }>(error) && error.data?.code === 'DATABASE_FULL',
      async isHealthy() {
        const { status, health } = await readHealth(engineOf(database))
        return status === 200 && health.writable
      },
      async deleteAll() {
        const pks = await read()
        uneven.duplicates += pks.length - new Set(pks).size
        const [head] = await database.read.all<{ head: number }>(sql`select head from logs`)
        uneven.holes += Math.abs((head?.head ?? 0) - pks.length)
        for (const table of ['changes', 'records', 'logs']) await database.write(tx => tx.run(sql`delete from ${sql.identifier(table)}`))
      },
    })
    await database.close()
    return { ...figures, ...uneven }
  }
  finally {
    configureSync()
    await disk.remove()
  }
}
