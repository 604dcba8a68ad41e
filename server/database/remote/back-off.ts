/** How to wait before a request to the database server is tried again. */
import { setTimeout as sleep } from 'node:timers/promises'

/** Waits 2 to 250 ms, longer after more attempts, with jitter so that two servers do not step in time. */
export function backOff(attempt: number): Promise<void> {
  return sleep(Math.min(250, 2 ** Math.min(attempt + 1, 8)) * (0.5 + Math.random() / 2))
}
