import type { CleanUpRequest } from '../../../shared/protocol.ts'
import { defineSyncHandler } from '../../http/sync-handler.ts'

/** Drops superseded changes and old tombstones; for owners. */
export default defineSyncHandler('gc', 'workspace.settings.manage', (engine, caller, request: CleanUpRequest) =>
  engine.gcTombstones(caller, request))
