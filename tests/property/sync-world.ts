/** Where a model run takes place: a real database file that can be closed and opened again, and a model beside it. */
import type { createSyncGatewayAdapter } from '../../server/host/sync-adapter/adapter.ts'
import type { TestDatabase } from '../helpers/database.ts'
import { createDevice, type Device } from './sync-device.ts'
import { createWorkspaceModel, type WorkspaceModel } from './sync-model.ts'
import { adapterOf } from '../helpers/engine.ts'

/** A device in a workspace. */
export interface Place { workspaceId: string, model: WorkspaceModel, device: Device }

type Adapter = ReturnType<typeof createSyncGatewayAdapter>

export interface World {
  readonly adapter: Adapter
  /** By workspace, then by device. */
  readonly places: Place[][]
  restart(): Promise<void>
  close(): Promise<void>
}

/** Two devices of one user, one each of two more: they share every workspace. */
const devices = [['device-1', 'user-1'], ['device-2', 'user-1'], ['device-3', 'user-2'], ['device-4', 'user-3']] as const
const workspaceCount = 3
let worlds = 0

/** `open` opens the database file; runs may share it, since each has workspaces of its own. */
export async function createWorld(open: () => Promise<TestDatabase>): Promise<World> {
  worlds++
  let database = await open()
  let adapter = adapterOf(database)
  return {
    get adapter() {
      return adapter
    },
    places: Array.from({ length: workspaceCount }, (_, index) => {
      const model = createWorkspaceModel()
      return devices.map(([deviceId, user]) => ({ workspaceId: `world-${worlds}-${index}`, model, device: createDevice(deviceId, user) }))
    }),
    async restart() {
      await database.close()
      database = await open()
      adapter = adapterOf(database)
    },
    close: () => database.close(),
  }
}
