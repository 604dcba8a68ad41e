/** The administrators of the deployment. A grant takes effect at the next session look-up, when the host asks. */
import { and, asc, eq } from 'drizzle-orm'
import { requireUser } from '../../workspaces/users.ts'
import { nowSeconds } from '../../lib/clock.ts'
import type { SyncDatabase } from '../../database/types.ts'
import { adminUsers, authAccounts, users } from '../../database/schema/index.ts'
import type { AdminUserStore, DeploymentAdminChecker } from './types.ts'
import { searchUsers, toFoundUser } from './user-search.ts'

/** Makes the store of administrators. `grantAdmin` throws NOT_FOUND for an unknown user. */
export function createAdminUserStore(database: () => Promise<SyncDatabase>): AdminUserStore {
  return {
    async listAdmins() {
      const { read } = await database()
      const rows = await read
        .select({
          userId: users.id, email: users.email, displayName: users.displayName, createdAt: adminUsers.createdAt,
        })
        .from(adminUsers)
        .innerJoin(users, eq(users.id, adminUsers.userId))
        .orderBy(asc(adminUsers.createdAt))
      return rows.map(row => ({ ...toFoundUser(row), createdAt: row.createdAt }))
    },
    async grantAdmin({ userId, createdByUserId }) {
      await (await database()).write(async (tx) => {
        await requireUser(tx, userId)
        await tx.insert(adminUsers).values({ userId, createdByUserId, createdAt: nowSeconds() }).onConflictDoNothing()
      })
    },
    async revokeAdmin({ userId }) {
      await (await database()).write(tx => tx.delete(adminUsers).where(eq(adminUsers.userId, userId)))
    },
    async isAdmin({ userId }) {
      const { read } = await database()
      const row = await read.select({ userId: adminUsers.userId }).from(adminUsers)
        .where(eq(adminUsers.userId, userId)).get()
      return row !== undefined
    },
    searchUsers: async input => searchUsers(await database(), input),
  }
}

/** Makes the checker that a host asks when it resolves a session. */
export function createDeploymentAdminChecker(database: () => Promise<SyncDatabase>): DeploymentAdminChecker {
  return {
    async checkDeploymentAdmin(providerUserId, provider) {
      const { read } = await database()
      const row = await read.select({ userId: adminUsers.userId })
        .from(authAccounts)
        .innerJoin(adminUsers, eq(adminUsers.userId, authAccounts.userId))
        .where(and(eq(authAccounts.provider, provider), eq(authAccounts.providerUserId, providerUserId)))
        .get()
      return row !== undefined
    },
  }
}
