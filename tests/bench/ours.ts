/** The layer itself: the engine that its routes call, on the database that its plugin opens. */
import { sql } from 'drizzle-orm'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { fileURLToPath } from 'node:url'
import { createAuthWorkspaceStore } from '../../server/host/auth-store.ts'
import { readDatabaseConfig } from '../../server/config/database.ts'
import { openDatabase } from '../../server/database/local/open.ts'
import { createSystemCaller, createUserCaller } from '../../server/sync/caller.ts'
import { createSyncEngine } from '../../server/sync/engine.ts'
import { type Open, profileOf, workspaceId } from './implementation.ts'

const scope = { workspaceId }
const caller = createUserCaller(workspaceId, 'user-1')

export const open: Open = async (path) => {
  const layer = readMigrationFiles({ migrationsFolder: fileURLToPath(new URL('../../drizzle', import.meta.url)) })
  const config = readDatabaseConfig({ OR3_SQLITE_DB_PATH: path, OR3_SQLITE_PRAGMA_SYNCHRONOUS: 'NORMAL' })
  const database = await openDatabase(config, { layer, app: [] })
  const engine = createSyncEngine(database)
  const store = createAuthWorkspaceStore(async () => database)
  return {
    push: ops => engine.push(caller, { scope, ops: ops as never }),
    pull: (cursor, limit, tables) => engine.pull(caller, { scope, cursor, limit, tables }),
    async snapshotPage(pageSize, next) {
      const page = await engine.snapshot(caller, { scope, pageSize, pageToken: next ?? undefined })
      return { items: page.items, next: page.nextPageToken }
    },
    async session(account) {
      const { userId } = await store.getOrCreateUser({ provider: 'bench', providerUserId: account, ...profileOf(account) })
      const { workspaceId } = await store.getOrCreateDefaultWorkspace(userId)
      return store.getWorkspaceRole({ userId, workspaceId })
    },
    cleanUp: retentionSeconds => engine.gcChangeLog(createSystemCaller(workspaceId), { scope, retentionSeconds }),
    age: async (seconds) => {
      await database.write(tx => tx.run(sql`update changes set created_at = created_at - ${seconds}`))
    },
    close: () => database.close(),
  }
}
