/** Where a model run takes place: a real database that can be closed and opened again, and a model beside it. */
import type { createSyncGatewayAdapter } from '../../server/host/sync-adapter/adapter.ts'
import { createDevice, type Device } from './sync-device.ts'
import { createWorkspaceModel, type WorkspaceModel } from './sync-model.ts'
import type { Store } from './stores.ts'

/** A device in a workspace. */
export interface Place { workspaceId: string, model: WorkspaceModel, device: Device }

type Adapter = ReturnType<typeof createSyncGatewayAdapter>

export interface World {
  readonly adapter: Adapter
  /** By workspace, then by device. */
  readonly places: Place[][]
  /** Of all writes so far. */
  readonly revisions: Set<string>
  restart(): Promise<void>
  close(): Promise<void>
}

/** Two devices of one user, one each of two more: they share every workspace. */
const devices = [['device-1', 'user-1'], ['device-2', 'user-1'], ['device-3', 'user-2'], ['device-4', 'user-3']] as const
const workspaceCount = 3
let worlds = 0

/** Runs may share a store, since each has workspaces of its own. */
export async function createWorld({ open }: Store): Promise<World> {
  worlds++
  let opened = await open()
  return {
    get adapter() {
      return opened.adapter
    },
    places: Array.from({ length: workspaceCount }, (_, index) => {
      const model = createWorkspaceModel()
      return devices.map(([deviceId, user]) => ({ workspaceId: `world-${worlds}-${index}`, model, device: createDevice(deviceId, user) }))
    }),
    revisions: new Set(),
    async restart() {
      await opened.close()
      opened = await open()
    },
    close: () => opened.close(),
  }
}
