/** Reads the bytes of a live stream as events. */
import { createParser } from 'eventsource-parser'
import type { LiveEvent } from '../../shared/live.ts'

/**
 * Calls `onEvent` for each event, and `onByte` for whatever comes, until the stream ends. Rejects where it breaks off.
 * Events that it does not know are left out.
 */
export async function readLiveEvents(
  bytes: ReadableStream<Uint8Array>, onEvent: (event: LiveEvent) => void, onByte: () => void,
): Promise<void> {
  const parser = createParser({
    onEvent({ event, data }) {
      const known = toLiveEvent(event, data)
      if (known) onEvent(known)
    },
  })
  const decoder = new TextDecoder()
  const reader = bytes.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    onByte()
    parser.feed(decoder.decode(value, { stream: true }))
  }
}

function toLiveEvent(type: string | undefined, text: string): LiveEvent | undefined {
  let data: Record<string, unknown>
  try {
    data = JSON.parse(text) as Record<string, unknown>
  }
  catch {
    return undefined
  }
  if (type === 'end') return { type, data: data as { reason: never } }
  if ((type === 'hello' || type === 'head') && Number.isSafeInteger(data['head'])) {
    return { type, data: data as { head: number, seconds: number } }
  }
  return undefined
}
