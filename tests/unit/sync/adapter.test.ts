import { describeSyncGatewayAdapter } from '../../contract/sync-gateway-adapter.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import { adapterOf } from '../../helpers/engine.ts'

describeSyncGatewayAdapter('sqlite', async () => {
  const database = await openTestDatabase()
  return adapterOf(database)
})
