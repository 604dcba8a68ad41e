import { defineSyncHandler } from '../../sync/endpoint.ts'
import { gcChangeLog } from '../../sync/retention.ts'

export default defineSyncHandler('gc', 'workspace.settings.manage', (database, event, body) => gcChangeLog(database, event, body))
