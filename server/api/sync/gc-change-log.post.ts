import type { CleanUpRequest } from '../../../shared/protocol.ts'
import { defineSyncHandler } from '../../http/sync-handler.ts'

/** Drops superseded changes; for owners. */
export default defineSyncHandler('gc', 'workspace.settings.manage', (engine, caller, request: CleanUpRequest) =>
  engine.gcChangeLog(caller, request))
