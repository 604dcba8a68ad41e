import { defineSyncHandler } from '../../sync/endpoint.ts'
import { snapshot } from '../../sync/snapshot.ts'

export default defineSyncHandler('snapshot', 'workspace.read', snapshot)
