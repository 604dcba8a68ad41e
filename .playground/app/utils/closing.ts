/** Devices that are being closed. Whoever signs out waits for them: a request after it would be refused. */
const closing = new Set<Promise<unknown>>()

/** Counts a device as closing until `work` settles. */
export function trackClosing(work: Promise<unknown>): void {
  closing.add(work)
  void work.catch(() => {}).then(() => closing.delete(work))
}

/** Settles when no device is being closed. */
export async function untilClosed(): Promise<void> {
  await Promise.allSettled(closing)
}
