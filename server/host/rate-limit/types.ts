/** The host's rate-limit contract as real types. Spans are milliseconds. */
import type { WindowCheck, WindowLimit, WindowState } from '../../lib/sliding-window.ts'

export interface RateLimitProvider {
  readonly name: string
  /** Counts the request where it is allowed; the check and the count are one. */
  checkAndRecord(key: string, config: WindowLimit): Promise<WindowCheck>
  /** Null where nothing counts. */
  getStats(key: string, config: WindowLimit): Promise<WindowState | null>
}
