/** A live stream as a client without a library reads it: the events in order, and when each came. */
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'

export interface ReadEvent { type: string, data: { head?: number, seconds?: number, reason?: string }, at: number }

export interface ReadStream {
  status: number
  headers: IncomingMessage['headers']
  events: ReadEvent[]
  /** The newest head that was told. */
  readonly head: number
  /** Comments, which keep the connection alive. */
  readonly beats: number
  /** When the connection ended; undefined while it lives. */
  readonly closedAt: number | undefined
  /** The body of an answer that is no stream. */
  text(): Promise<string>
  /** Resolves with the first event that `matches`. Throws after `ms`. */
  next(matches: (event: ReadEvent) => boolean, ms?: number): Promise<ReadEvent>
  /** Resolves when the connection has ended. */
  closed(ms?: number): Promise<void>
  close(): void
}

/** Opens `/api/sync/live` with this query. */
export async function readLive(
  origin: string, query: Record<string, string>, headers: Record<string, string> = {},
): Promise<ReadStream> {
  const request = get(`${origin}/api/sync/live?${new URLSearchParams(query)}`, { headers, agent: false })
  const [response] = await once(request, 'response') as [IncomingMessage]
  const events: ReadEvent[] = []
  const wakes = new Set<() => void>()
  let [text, rest, beats] = ['', '', 0]
  let closedAt: number | undefined
  const wake = () => wakes.forEach(one => one())
  const end = () => {
    closedAt ??= performance.now()
    wake()
  }
  response.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
    const blocks = (rest + chunk).split('\n\n')
    rest = blocks.pop()!
    for (const block of blocks) {
      if (block.startsWith(':')) beats++
      const [, type, data] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? []
      if (type) events.push({ type, data: JSON.parse(data!) as ReadEvent['data'], at: performance.now() })
    }
    wake()
  })
  response.on('error', end)
  response.once('close', end)

  const until = <T>(find: () => T | undefined, ms: number, what: string) => new Promise<T>((resolve, reject) => {
    const look = () => {
      const found = find()
      if (found === undefined) return
      clearTimeout(timer)
      wakes.delete(look)
      resolve(found)
    }
    const timer = setTimeout(() => {
      wakes.delete(look)
      reject(new Error(`${what} did not come within ${ms} ms: ${JSON.stringify(events)}`))
    }, ms)
    wakes.add(look)
    look()
  })
  return {
    status: response.statusCode!,
    headers: response.headers,
    events,
    get head() {
      return Math.max(0, ...events.map(({ data }) => data.head ?? 0))
    },
    get beats() {
      return beats
    },
    get closedAt() {
      return closedAt
    },
    async text() {
      await until(() => closedAt, 5_000, 'The end')
      return text
    },
    next: (matches, ms = 5_000) => until(() => events.find(matches), ms, 'The event'),
    async closed(ms = 5_000) {
      await until(() => closedAt, ms, 'The end')
    },
    close: () => void request.destroy(),
  }
}
