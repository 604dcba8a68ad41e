import { defineSyncHandler } from '../../sync/endpoint.ts'
import { gcTombstones } from '../../sync/retention.ts'

export default defineSyncHandler('gc', 'workspace.settings.manage', (database, event, body) => gcTombstones(database, event, body))
