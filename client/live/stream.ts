/** Reads the bytes of a live stream as events: the part of server-sent events that this layer's servers write. */
import type { LiveEvent } from '../../shared/live.ts'

/**
 * Calls `onEvent` for each event, and `onByte` for whatever comes, until the stream ends. Rejects where it breaks off.
 * Events that it does not know are left out.
 */
export async function readLiveEvents(
  bytes: ReadableStream<Uint8Array>, onEvent: (event: LiveEvent) => void, onByte: () => void,
): Promise<void> {
  const decoder = new TextDecoder()
  const reader = bytes.getReader()
  let rest = ''
  let type = ''
  let data = ''
  const takeLine = (line: string) => {
    const [, field, value = ''] = /^(event|data): ?(.*)$/.exec(line) ?? []
    if (field === 'event') type = value
    else if (field) data += value
    else if (line === '') {
      const known = toLiveEvent(type, data)
      type = data = ''
      if (known) onEvent(known)
    }
  }
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    onByte()
    const lines = (rest + decoder.decode(value, { stream: true })).split(/\r?\n/)
    rest = lines.pop()!
    lines.forEach(takeLine)
  }
}

function toLiveEvent(type: string, text: string): LiveEvent | undefined {
  let data: Record<string, unknown> | null
  try {
    data = JSON.parse(text) as Record<string, unknown> | null
  }
  catch {
    return undefined
  }
  if (type === 'end' && data) return { type, data: data as { reason: never } }
  if ((type === 'hello' || type === 'head') && Number.isSafeInteger(data?.['head'])) {
    return { type, data: data as { head: number, seconds: number } }
  }
  return undefined
}
