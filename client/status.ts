/** What a store shows of itself: frozen, and a new object exactly when something has changed. */
import { createListeners } from './listeners.ts'
import type { State } from './state.ts'
import type { StorageProblem } from './storage/types.ts'
import type { SharedStatus } from './tabs.ts'
import type { Writer } from './writer.ts'

export interface SyncStatus extends Readonly<SharedStatus> {
  /** The user's switch is on, and the last request got an answer. */
  readonly isOnline: boolean
  /** False where writes live only as long as this tab; `storageProblem` says why. */
  readonly isDurable: boolean
  readonly storageProblem: StorageProblem | undefined
  /** This tab talks to the server. */
  readonly isLeader: boolean
  /** The rows of the whole workspace are here, as of `cursor`. */
  readonly isComplete: boolean
  readonly deviceId: string
  readonly cursor: number
  readonly head: number
  /** Writes that the server has not answered. */
  readonly pending: number
  readonly failures: number
}

/** Before anything is known of the server. */
export const unknownServer: SharedStatus = {
  isSyncing: false, lastSyncAt: undefined, error: undefined, stopped: undefined,
  live: { mode: 'off', reason: 'not started' },
}

/** Follows the state, the writer and the sync of one store. */
export function createStatus(state: State, writer: Writer, isLeader: () => boolean) {
  const listeners = createListeners()
  let shared = unknownServer
  let isSwitchedOn = true
  let current = describe()

  function describe(): SyncStatus {
    const { cursor, head, deviceId, isComplete } = state.meta
    return Object.freeze({
      ...shared,
      isOnline: isSwitchedOn && shared.error?.status !== 0,
      isDurable: writer.isDurable,
      storageProblem: writer.problem,
      isLeader: isLeader(),
      isComplete, deviceId, cursor, head: Math.max(cursor, head),
      pending: state.outbox.size,
      failures: state.failures.size,
    })
  }
  const touch = () => {
    const next = describe()
    const names = Object.keys(next) as (keyof SyncStatus)[]
    if (names.every(name => next[name] === current[name])) return
    current = next
    listeners.tell()
  }
  state.subscribe(touch)

  return {
    touch,
    get current() {
      touch()
      return current
    },
    get shared() {
      return shared
    },
    share(change: Partial<SharedStatus>) {
      shared = { ...shared, ...change }
      touch()
    },
    setSwitch(isOn: boolean) {
      isSwitchedOn = isOn
      touch()
    },
    subscribe: listeners.add,
  }
}
