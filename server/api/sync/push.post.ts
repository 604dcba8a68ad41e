import { defineSyncHandler } from '../../sync/endpoint.ts'
import { push } from '../../sync/push/push.ts'

export default defineSyncHandler('push', 'workspace.write', push)
