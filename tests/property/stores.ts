/**
 * Where the properties are tried: a local file, a database on sqld, and two engines on one sqld that take turns, so that
 * what one of them remembers cannot help.
 */
import type { createSyncGatewayAdapter } from '../../server/host/sync-adapter/adapter.ts'
import { makeTempFolder, openTestDatabase } from '../helpers/database.ts'
import { adapterOf } from '../helpers/engine.ts'
import { openRemoteTestDatabase, takeTurns, useSqld } from '../helpers/remote-database.ts'
import { withoutFlushes } from './scale.ts'

type Adapter = ReturnType<typeof createSyncGatewayAdapter>

/** Can be closed and opened again, and still holds what it held. */
export interface Store {
  open(): Promise<{ adapter: Adapter, close(): Promise<void> }>
}

/** Each with its share of the runs: a step on sqld takes ten times as long. */
export function listStores(): { name: string, share: number, make: () => Promise<Store> }[] {
  const sqld = useSqld()
  const openRemote = async () => openRemoteTestDatabase({ url: (await sqld()).wsUrl, keep: true })
  return [
    {
      name: 'a local file',
      share: 1,
      make: async () => {
        const path = `${await makeTempFolder()}/sync.db`
        return { open: async () => toOpened(await openTestDatabase({ path, ...withoutFlushes })) }
      },
    },
    { name: 'a database on sqld', share: 0.1, make: async () => ({ open: async () => toOpened(await openRemote()) }) },
    {
      name: 'two engines on one sqld',
      share: 0.1,
      make: async () => ({
        async open() {
          const both = await Promise.all([openRemote(), openRemote()])
          const close = async () => {
            await Promise.all(both.map(one => one.close()))
          }
          return { adapter: takeTurns(both.map(adapterOf)), close }
        },
      }),
    },
  ]
}

function toOpened(database: Parameters<typeof adapterOf>[0]) {
  return { adapter: adapterOf(database), close: () => database.close() }
}
