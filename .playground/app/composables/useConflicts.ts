/** The conflicts of both devices as one list: two devices that met the same two edits should have decided alike. */
import { nameDecision, type Decision } from '../utils/decisions.ts'
import type { Device, DeviceRole } from './useDevice.ts'

export interface MetConflict {
  key: string
  decision: Decision
  /** Devices of this page that met the two edits and let the same one win. */
  agreedBy: DeviceRole[]
}

export function useConflicts(devices: Device[]) {
  return computed(() => {
    const conflicts = new Map<string, MetConflict>()
    for (const device of devices) {
      for (const decision of device.decisions) {
        const key = nameDecision(decision)
        const known = conflicts.get(key)
        if (known) known.agreedBy.push(device.role)
        else conflicts.set(key, { key, decision, agreedBy: [device.role] })
      }
    }
    return [...conflicts.values()].sort((a, b) => b.decision.at - a.decision.at)
  })
}
