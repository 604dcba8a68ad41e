/**
 * The maintenance calls of a host's job. The job makes them without waiting, and may make them before the database is
 * open: a state is visible at once, and the calls reach the engine's log in their order.
 */
import type { MaintenanceState } from '../../../shared/protocol.ts'
import type { SyncEngine } from '../../sync/engine.ts'
import type { MaintenanceLog } from '../../sync/retention/maintenance-log.ts'
import type { SyncGatewayAdapter } from './types.ts'

type MaintenanceMethods = Required<Pick<
  SyncGatewayAdapter,
  'getMaintenanceState' | 'beginMaintenanceRun' | 'completeMaintenanceRun' | 'failMaintenanceRun'
>>

/** Makes the adapter's maintenance methods; none of them throws. `attach` hears of the engine as soon as it is open. */
export function createMaintenanceMethods(open: () => Promise<SyncEngine>) {
  let log: MaintenanceLog | undefined
  let early: MaintenanceState = { enabled: true, state: 'idle' }

  function attach(engine: SyncEngine) {
    log ??= engine.maintenance
  }

  function tell(state: Partial<MaintenanceState>, use: (log: MaintenanceLog) => unknown) {
    if (log) {
      use(log)
      return
    }
    early = { ...early, ...state }
    open().then((engine) => {
      attach(engine)
      use(engine.maintenance)
    }, () => {})
  }

  const methods: MaintenanceMethods = {
    getMaintenanceState: () => log?.read() ?? { ...early },
    beginMaintenanceRun: () => tell({ state: 'running' }, known => known.begin()),
    completeMaintenanceRun: ({ lastRun }) => tell({ state: 'idle', lastRun }, known => known.complete(lastRun)),
    failMaintenanceRun: error => tell({ state: 'failed', lastError: error }, known => known.fail(error)),
  }
  return { attach, methods }
}
