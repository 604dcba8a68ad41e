/** The store on a real database file. */
import { createAuthWorkspaceStore } from '../../../server/auth/store/create-store.ts'
import { describeAuthWorkspaceStore } from '../../contract/auth-workspace-store.ts'
import { openTestDatabase } from '../../helpers/database.ts'

describeAuthWorkspaceStore('sqlite', async () => {
  const database = await openTestDatabase()
  return createAuthWorkspaceStore(() => Promise.resolve(database))
})
