/** The layer itself: the rooms that its routes call, on the database that its plugin opens. */
import { sql } from 'drizzle-orm'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import type { H3Event } from 'h3'
import { fileURLToPath } from 'node:url'
import { createAuthWorkspaceStore } from '../../server/auth/store/create-store.ts'
import { readDatabaseConfig } from '../../server/db/config.ts'
import { openDatabase } from '../../server/db/open.ts'
import { pull } from '../../server/sync/pull.ts'
import { push } from '../../server/sync/push/push.ts'
import { gcChangeLog } from '../../server/sync/retention.ts'
import { snapshot } from '../../server/sync/snapshot.ts'
import { type Open, profileOf, workspaceId } from './implementation.ts'

const scope = { workspaceId }
const event = {
  context: {
    __or3_session_context_bench_bench: { authenticated: true, user: { id: 'user-1' }, workspace: { id: workspaceId, name: 'Bench' }, role: 'owner' },
  },
} as unknown as H3Event

export const open: Open = async (path) => {
  const layer = readMigrationFiles({ migrationsFolder: fileURLToPath(new URL('../../drizzle', import.meta.url)) })
  const config = readDatabaseConfig({ OR3_SQLITE_DB_PATH: path, OR3_SQLITE_PRAGMA_SYNCHRONOUS: 'NORMAL' })
  const database = await openDatabase(config, { layer, app: [] })
  const store = createAuthWorkspaceStore(async () => database)
  return {
    push: ops => push(database, event, { scope, ops: ops as never }),
    pull: (cursor, limit, tables) => pull(database, event, { scope, cursor, limit, tables }),
    async snapshotPage(pageSize, next) {
      const page = await snapshot(database, event, { scope, pageSize, pageToken: next ?? undefined })
      return { items: page.items, next: page.nextPageToken }
    },
    async session(account) {
      const { userId } = await store.getOrCreateUser({ provider: 'bench', providerUserId: account, ...profileOf(account) })
      const { workspaceId } = await store.getOrCreateDefaultWorkspace(userId)
      return store.getWorkspaceRole({ userId, workspaceId })
    },
    cleanUp: retentionSeconds => gcChangeLog(database, event, { scope, retentionSeconds }),
    age: async (seconds) => {
      await database.write(tx => tx.run(sql`update changes set created_at = created_at - ${seconds}`))
    },
    close: () => database.close(),
  }
}
