/** Pulls that wait, where event streams do not come through: each answers with the head as soon as it has moved. */
import { TransportError, type Transport } from '../transport.ts'
import { createBudget } from './pacer.ts'

export interface LongPollOptions {
  workspaceId: string
  transport: Transport
  /** The newest head that is known. */
  head(): number
  /** The server has answered, and its head is this; 0 where its log is not the one that is known. */
  onHead(head: number): void
  signal: AbortSignal
}

/** Below the 30 s after which many proxies give a request up. */
const firstWaitMs = 25_000
const leastWaitMs = 5_000
/** An answer that comes so early without anything new was not waited for. */
const earlyShare = 0.7
/** A snapshot is under way: until it is done the server answers at once. */
const snapshotMs = 5_000

/** Runs until `signal`. Rejects with the `TransportError` that ends it; 501 where the server does not wait. */
export async function longPoll({ workspaceId, transport, head, onHead, signal }: LongPollOptions): Promise<void> {
  const budget = createBudget()
  let waitMs = firstWaitMs
  let early = 0
  while (!signal.aborted) {
    const cursor = head()
    const startedAt = performance.now()
    try {
      const page = await transport.pull({ scope: { workspaceId }, cursor, limit: 1, tables: [], waitMs }, signal)
      if (signal.aborted) return
      const isEarly = performance.now() - startedAt < waitMs * earlyShare
      early = isEarly && !page.requiresSnapshot && page.nextCursor === cursor ? early + 1 : 0
      if (early > 1) throw new TransportError(501, 'The server does not wait with its answers.')
      onHead(page.requiresSnapshot ? 0 : page.nextCursor)
      await pause(page.requiresSnapshot ? snapshotMs : budget.take(), signal)
    }
    catch (error) {
      if (signal.aborted) return
      // A proxy that gives up sooner than we do.
      const isGivenUp = error instanceof TransportError && (error.status === 504 || error.status === 408)
      if (!isGivenUp || waitMs === leastWaitMs) throw error
      waitMs = Math.max(leastWaitMs, waitMs / 2)
    }
  }
}

/** Resolves after so many milliseconds, or with the signal. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms === 0) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    }, { once: true })
  })
}
