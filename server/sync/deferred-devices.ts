/**
 * Devices behind the horizon that tried to put a row without a record. The row's tombstone may be gone, so the put is
 * deferred until its device could learn that it needs a snapshot. A pull names a user and no device, so only a pull
 * after the deferral releases it. In memory: after a restart a device is deferred once more. Upholds P7.
 */
import type { UserCaller } from './caller.ts'

export interface DeferredDevices {
  /** Those of `devices`, all behind `horizon`, whose puts of unknown rows must wait. */
  find(caller: UserCaller, devices: readonly string[], horizon: number): Set<string>
  /** Remembers that a put of each of `devices` was deferred. */
  add(caller: UserCaller, devices: ReadonlySet<string>, horizon: number): void
  /** A pull of the user was answered; `told` says whether with `requiresSnapshot`. */
  release(caller: UserCaller, told: boolean): void
}

interface Deferral {
  horizon: number
  /** On the monotonic clock. */
  deferredAt: number
  released: boolean
}

/** A live device polls every two seconds: a pull this long after the deferral came after the device was told. */
const settledMs = 10_000
const maxUsers = 1_000
const maxDevicesPerUser = 50

/** Makes the memory of one engine. */
export function createDeferredDevices(): DeferredDevices {
  const users = new Map<string, Map<string, Deferral>>()
  return {
    find(caller, devices, horizon) {
      const known = users.get(nameOf(caller))
      return new Set(devices.filter((device) => {
        const deferral = known?.get(device)
        return !deferral?.released || deferral.horizon < horizon
      }))
    },
    add(caller, devices, horizon) {
      if (devices.size === 0) return
      const known = users.get(nameOf(caller)) ?? new Map<string, Deferral>()
      for (const device of devices) {
        const before = known.get(device)
        if (before && before.horizon >= horizon) continue
        known.set(device, { horizon, deferredAt: performance.now(), released: false })
        dropOldest(known, maxDevicesPerUser)
      }
      users.set(nameOf(caller), known)
      dropOldest(users, maxUsers)
    },
    release(caller, told) {
      for (const one of users.get(nameOf(caller))?.values() ?? []) {
        if (told || performance.now() - one.deferredAt >= settledMs) one.released = true
      }
    },
  }
}

function nameOf({ workspaceId, userId }: UserCaller): string {
  return `${workspaceId}\0${userId}`
}

function dropOldest<T>(map: Map<string, T>, max: number) {
  const oldest = map.size > max ? map.keys().next().value : undefined
  if (oldest !== undefined) map.delete(oldest)
}
