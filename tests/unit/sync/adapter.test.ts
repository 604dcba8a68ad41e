import { createSyncGatewayAdapter } from '../../../server/sync/gateway/adapter.ts'
import { describeSyncGatewayAdapter } from '../../contract/sync-gateway-adapter.ts'
import { openTestDatabase } from '../../helpers/database.ts'

describeSyncGatewayAdapter('sqlite', async () => {
  const database = await openTestDatabase()
  return createSyncGatewayAdapter(async () => database)
})
