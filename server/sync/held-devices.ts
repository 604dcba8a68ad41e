/**
 * Devices behind the horizon that tried to put a row the server knows nothing of: it may be one whose tombstone is
 * gone, so the put waits until its device had a chance to learn that it needs a snapshot. A pull names a user and no
 * device; therefore only what comes after the hold releases it. In memory, since one process owns the database: after
 * a restart a device is held once more. Upholds P7.
 */
import type { SyncDatabase } from '../db/open.ts'
import type { Caller } from './caller.ts'

interface Hold {
  horizon: number
  /** On the monotonic clock. */
  heldAt: number
  released: boolean
}

/** A live device polls every two seconds: whoever pulls this long after the hold has been told, or is not behind. */
const settledMs = 10_000
const maxUsers = 1_000
const maxDevicesPerUser = 50

type DevicesByUser = Map<string, Map<string, Hold>>
const holds = new WeakMap<SyncDatabase, DevicesByUser>()

/** Those of `devices`, all behind `horizon`, whose puts of unknown rows wait. */
export function findHeld(database: SyncDatabase, caller: Caller, devices: readonly string[], horizon: number): Set<string> {
  const known = holds.get(database)?.get(nameOf(caller))
  return new Set(devices.filter((device) => {
    const hold = known?.get(device)
    return !hold?.released || hold.horizon < horizon
  }))
}

/** Remembers that a put of each of `devices` was held back. */
export function hold(database: SyncDatabase, caller: Caller, devices: ReadonlySet<string>, horizon: number): void {
  if (devices.size === 0) return
  const users = holds.get(database) ?? new Map<string, Map<string, Hold>>()
  holds.set(database, users)
  const known = users.get(nameOf(caller)) ?? new Map<string, Hold>()
  for (const device of devices) {
    const before = known.get(device)
    if (before && before.horizon >= horizon) continue
    known.set(device, { horizon, heldAt: performance.now(), released: false })
    dropOldest(known, maxDevicesPerUser)
  }
  users.set(nameOf(caller), known)
  dropOldest(users, maxUsers)
}

/** A pull of the user was answered; `told` says whether with `requiresSnapshot`. */
export function release(database: SyncDatabase, caller: Caller, told: boolean): void {
  const known = holds.get(database)?.get(nameOf(caller))
  if (!known) return
  for (const one of known.values()) {
    if (told || performance.now() - one.heldAt >= settledMs) one.released = true
  }
}

function nameOf({ workspaceId, userId }: Caller): string {
  return `${workspaceId}\0${userId ?? ''}`
}

function dropOldest<T>(map: Map<string, T>, max: number) {
  if (map.size > max) map.delete(map.keys().next().value!)
}
