/** The contract on a database server: by one engine, over both protocols, and by two engines that take turns. */
import { describeSyncGatewayAdapter } from '../../contract/sync-gateway-adapter.ts'
import { adapterOf } from '../../helpers/engine.ts'
import { openRemoteTestDatabase, takeTurns, useSqld } from '../../helpers/remote-database.ts'

const sqld = useSqld()

describeSyncGatewayAdapter('sqlite on sqld', async () => adapterOf(await openRemoteTestDatabase({ url: (await sqld()).wsUrl })))

describeSyncGatewayAdapter('sqlite on sqld by http', async () => adapterOf(await openRemoteTestDatabase({ url: (await sqld()).httpUrl })))

describeSyncGatewayAdapter('two engines on one sqld', async () => {
  const url = (await sqld()).wsUrl
  const first = await openRemoteTestDatabase({ url })
  const second = await openRemoteTestDatabase({ url, keep: true })
  return takeTurns([adapterOf(first), adapterOf(second)])
})
