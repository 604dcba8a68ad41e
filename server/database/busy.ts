/** How to wait for another process's lock: in JavaScript, never in the driver, which would stop the event loop. */
import { setTimeout as sleep } from 'node:timers/promises'
import { isBusy } from './driver-error.ts'

/** Waits 1 to 25 ms; longer after more attempts, with jitter so that two waiting processes do not step in time. */
export function backOff(attempt: number): Promise<void> {
  return sleep(Math.min(25, 2 ** Math.min(attempt, 5)) * (0.5 + Math.random() / 2))
}

/** Waits if `error` is another's lock and `deadline`, on the monotonic clock, has not passed; else throws it. */
export async function backOffFrom(error: unknown, attempt: number, deadline: number): Promise<void> {
  if (!isBusy(error) || performance.now() >= deadline) throw error
  await backOff(attempt)
}

/** Runs `work` until it does not meet a lock, or throws its error after `timeoutMs`. */
export async function retryWhileBusy<T>(timeoutMs: number, work: () => T | Promise<T>): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (let attempt = 0; ; attempt++) {
    try {
      return await work()
    }
    catch (error) {
      await backOffFrom(error, attempt, deadline)
    }
  }
}
