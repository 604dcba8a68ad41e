/** The stores behind a host's admin pages, as one registration. The host makes them anew on each request. */
import type { SyncDatabase } from '../../database/types.ts'
import { providerId } from '../sync-adapter/adapter.ts'
import { answerHostMethods } from '../errors.ts'
import { createWorkspaceAccessStore } from './access-store.ts'
import { createAdminUserStore } from './admin-users.ts'
import { createWorkspaceSettingsStore } from './settings-store.ts'
import type { AdminStoreProvider } from './types.ts'

/** Makes the registration. An administrator names users by their ids of `authProvider`. */
export function createAdminStoreProvider(
  database: () => Promise<SyncDatabase>,
  authProvider: string,
): AdminStoreProvider {
  return {
    id: providerId,
    createWorkspaceAccessStore: () =>
      answerHostMethods('The workspace access store', createWorkspaceAccessStore(database, authProvider)),
    createWorkspaceSettingsStore: () =>
      answerHostMethods('The workspace settings', createWorkspaceSettingsStore(database)),
    createAdminUserStore: () => answerHostMethods('The admin user store', createAdminUserStore(database)),
    getCapabilities: () => ({
      supportsServerSideAdmin: true,
      supportsUserSearch: true,
      supportsWorkspaceList: true,
      supportsWorkspaceManagement: true,
      supportsDeploymentAdminGrants: true,
    }),
  }
}
