/** The decisions of both devices as one list: two devices that met the same two edits should have decided alike. */
import type { Decision } from '../sync/replica.ts'
import type { Device, DeviceRole } from './useDevice.ts'

export interface Conflict {
  key: string
  decision: Decision
  /** Devices of this page that met the two edits and let the same one win. */
  agreedBy: DeviceRole[]
}

export function useConflicts(devices: Device[]) {
  return computed(() => {
    const conflicts = new Map<string, Conflict>()
    for (const device of devices) {
      for (const decision of device.decisions) {
        const key = `${decision.winner.revision.opId}/${decision.loser.revision.opId}`
        const known = conflicts.get(key)
        if (known) known.agreedBy.push(device.role)
        else conflicts.set(key, { key, decision, agreedBy: [device.role] })
      }
    }
    return [...conflicts.values()].sort((a, b) => b.decision.at - a.decision.at)
  })
}
