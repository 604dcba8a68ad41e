/** Hands a push's receipts from its route to the metrics: the answer itself is text by then. */
import type { H3Event } from 'h3'

/** What the metrics read of a receipt. */
export interface Receipt {
  success: boolean
  applied?: boolean | undefined
  replayed?: boolean | undefined
  errorCode?: string | undefined
}

const resultsByEvent = new WeakMap<H3Event, readonly Receipt[]>()

/** Remembers the receipts for as long as the request lasts. */
export function notePushResults(event: H3Event, results: readonly Receipt[]): void {
  resultsByEvent.set(event, results)
}

/** The receipts that the route noted; undefined where a host's own route answered. */
export function readPushResults(event: H3Event): readonly Receipt[] | undefined {
  return resultsByEvent.get(event)
}
