/**
 * An HTTP proxy between a client and the server, with the habits of real ones: it keeps streams back until they end,
 * cuts them, loses some of their events, or goes silent without a word.
 */
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface ProxyHabits {
  /** Hands an answer on only when it has ended. */
  buffers?: boolean
  /** Cuts each event stream after so many milliseconds. */
  cutsAfterMs?: (() => number) | undefined
  /** The share of `head` events that it loses. */
  loses?: number
  /** Neither hands anything on nor closes anything. */
  isSilent?: boolean
  /** Refuses connections. */
  isDown?: boolean
}

export interface Proxy {
  origin: string
  habits: ProxyHabits
  /** Event streams asked for, and how many of them are open. */
  readonly streams: number
  readonly openStreams: number
  /** When each stream was asked for, on the clock of `performance`. */
  readonly askedAt: number[]
  readonly requests: number
  /** Cuts all that is open now. */
  cut(): void
  close(): Promise<void>
}

/** Starts a proxy to `target`, with the habits of that moment for each request. */
export async function startProxy(target: string, habits: ProxyHabits = {}, random = Math.random): Promise<Proxy> {
  const open = new Set<ServerResponse>()
  const counts = { streams: 0, requests: 0 }
  const askedAt: number[] = []
  const proxy: Proxy = {
    origin: '',
    habits,
    askedAt,
    get streams() {
      return counts.streams
    },
    get openStreams() {
      return open.size
    },
    get requests() {
      return counts.requests
    },
    cut: () => open.forEach(response => response.destroy()),
    async close() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }

  const serve = (asked: IncomingMessage, answer: ServerResponse) => {
    const isStream = asked.url!.startsWith('/api/sync/live')
    counts.requests++
    if (isStream) {
      counts.streams++
      askedAt.push(performance.now())
    }
    if (proxy.habits.isDown) return void answer.destroy()
    const url = new URL(asked.url!, target)
    const forward = request(url, { method: asked.method, headers: { ...asked.headers, host: url.host }, agent: false })
    asked.pipe(forward)
    answer.once('close', () => forward.destroy())
    forward.once('error', () => answer.destroy())
    forward.once('response', (response) => {
      response.once('error', () => answer.destroy())
      if (proxy.habits.buffers) return void bufferWhole(response, answer).catch(() => answer.destroy())
      answer.writeHead(response.statusCode!, response.headers)
      if (isStream) passStream(response, answer)
      else response.pipe(answer)
    })
  }
  const passStream = (response: IncomingMessage, answer: ServerResponse) => {
    open.add(answer)
    const timer = proxy.habits.cutsAfterMs && setTimeout(() => answer.destroy(), proxy.habits.cutsAfterMs())
    answer.once('close', () => {
      clearTimeout(timer)
      open.delete(answer)
    })
    response.on('data', (chunk: Buffer) => {
      if (proxy.habits.isSilent) return
      // The server writes one event at a time.
      const isLost = chunk.includes('event: head') && random() < (proxy.habits.loses ?? 0)
      if (!isLost) answer.write(chunk)
    })
    response.once('end', () => answer.end())
    response.once('close', () => answer.destroy())
  }
  const server = createServer(serve).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  proxy.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return proxy
}

async function bufferWhole(response: IncomingMessage, answer: ServerResponse): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  const { 'transfer-encoding': _, ...headers } = response.headers
  answer.writeHead(response.statusCode!, headers)
  answer.end(Buffer.concat(chunks))
}
