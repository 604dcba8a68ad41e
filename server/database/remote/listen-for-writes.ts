/**
 * Hints that somebody has written, from the server's `/beta/listen`: an event stream that is not documented and may be
 * absent. A hint comes before its commit is visible, and may be lost.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { bearer } from './server-kind.ts'

/** Between two tries to open the stream. */
const retryMs = 2_000

/** Calls `onWrite` for each write to `table`; returns what ends that. */
export function listenForWrites(
  httpUrl: string, authToken: string | undefined, table: string, onWrite: () => void,
): () => void {
  const ending = new AbortController()
  void follow()
  return () => ending.abort()

  async function follow() {
    while (!ending.signal.aborted) {
      const isOffered = await readStream().catch(() => true)
      if (!isOffered) return
      await sleep(retryMs, undefined, { signal: ending.signal, ref: false }).catch(() => {})
    }
  }

  /** False where the server has no such stream. */
  async function readStream(): Promise<boolean> {
    const url = new URL('/beta/listen', httpUrl)
    url.searchParams.set('table', table)
    const answer = await fetch(url, { headers: bearer(authToken), signal: ending.signal })
    if (!answer.ok || !answer.body || !answer.headers.get('content-type')?.startsWith('text/event-stream')) {
      await answer.body?.cancel()
      return answer.status >= 500
    }
    const text = new TextDecoder()
    const reader = answer.body.getReader()
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      // A comment line only keeps the connection alive.
      if (/^data:/m.test(text.decode(part.value, { stream: true }))) onWrite()
    }
    return true
  }
}
