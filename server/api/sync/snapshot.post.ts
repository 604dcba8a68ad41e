import { defineSyncHandler } from '../../sync/endpoint.ts'
import { snapshot } from '../../sync/snapshot.ts'

export default defineSyncHandler('workspace.read', snapshot)
