/**
 * The sync routes over `fetch`: one POST each, JSON both ways. Anything but a 2xx answer with a JSON body becomes a
 * `TransportError`; whether and when to ask again is the sync loop's decision.
 */
import type {
  PullRequest, PullResponse, PushBatch, PushResult, SnapshotRequest, SnapshotResponse, UpdateCursorRequest,
} from '../shared/protocol.ts'

/** The way to a server. Each method rejects with a `TransportError`. */
export interface Transport {
  push(batch: PushBatch): Promise<PushResult>
  pull(request: PullRequest, signal?: AbortSignal): Promise<PullResponse>
  snapshot(request: SnapshotRequest): Promise<SnapshotResponse>
  updateCursor(request: UpdateCursorRequest): Promise<unknown>
  /**
   * Opens the stream of live hints (shared/live.ts) of one workspace; resolves with its bytes when the answer has
   * begun. A later stream of the same `client` takes the place of an earlier one. A way without it polls.
   */
  openLive?(workspaceId: string, client: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>
}

export interface HttpTransportOptions {
  /** The server's address; the page's own where it is left out. */
  baseUrl?: string | undefined
  /** Sent with each request, such as a bearer token; a function is asked each time. Cookies go along by themselves. */
  headers?: Record<string, string> | (() => Record<string, string> | Promise<Record<string, string>>) | undefined
  fetch?: typeof globalThis.fetch | undefined
  credentials?: RequestCredentials | undefined
  /** Milliseconds for one request with its answer; 30,000. */
  timeoutMs?: number | undefined
}

/** A first page from a slow disk takes seconds; a dead connection should not hold the outbox for minutes. */
const defaultTimeoutMs = 30_000

/** A request that got no answer, or a refusal. */
export class TransportError extends Error {
  /** The HTTP status; 0 where no answer came. */
  readonly status: number
  readonly code: string
  readonly retryAfterSeconds: number | undefined

  constructor(
    status: number,
    message: string,
    details: { code?: string | undefined, retryAfterSeconds?: number | undefined, cause?: unknown } = {},
  ) {
    super(message, { cause: details.cause })
    this.name = 'TransportError'
    this.status = status
    this.code = details.code ?? (status === 0 ? 'NETWORK_ERROR' : 'UNKNOWN')
    this.retryAfterSeconds = details.retryAfterSeconds
  }
}

/** Why syncing ends with this answer; undefined where it may go on. */
export function endOfSession(status: number): 'unauthenticated' | 'forbidden' | undefined {
  return status === 401 ? 'unauthenticated' : status === 403 ? 'forbidden' : undefined
}

/**
 * Creates the way to a server over HTTP.
 *
 * @example
 * createHttpTransport({ headers: async () => ({ authorization: `Bearer ${await getToken()}` }) })
 */
export function createHttpTransport(options: HttpTransportOptions = {}): Transport {
  const { baseUrl = '', credentials, timeoutMs = defaultTimeoutMs } = options
  const address = (route: string) => `${baseUrl.replace(/\/$/, '')}/api/sync/${route}`

  const send = async (url: string, init: RequestInit): Promise<Response> => {
    const headers = typeof options.headers === 'function' ? await options.headers() : options.headers
    const response = await (options.fetch ?? fetch)(url, {
      ...init, headers: { ...init.headers, ...headers }, ...credentials && { credentials },
    }).catch(throwNoAnswer)
    if (response.ok) return response
    throw describeRefusal(response, await response.text().catch(() => ''))
  }
  const post = async <T>(route: string, body: unknown, signal?: AbortSignal): Promise<T> => {
    const limit = AbortSignal.timeout(timeoutMs)
    const response = await send(address(route), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    })
    const text = await response.text().catch(throwNoAnswer)
    const answer = parseJson(text)
    if (typeof answer !== 'object' || answer === null) throw describeRefusal(response, text)
    return answer as T
  }
  return {
    push: batch => post('push', batch),
    pull: (request, signal) => post('pull', request, signal),
    snapshot: request => post('snapshot', request),
    updateCursor: request => post('update-cursor', request),
    async openLive(workspaceId, client, signal) {
      const url = `${address('live')}?${new URLSearchParams({ workspaceId, client })}`
      const response = await send(url, { headers: { accept: 'text/event-stream' }, cache: 'no-store', signal })
      const isStream = response.headers.get('content-type')?.startsWith('text/event-stream')
      if (isStream && response.body) return response.body
      throw new TransportError(501, 'The server has no live stream.')
    },
  }
}

function throwNoAnswer(cause: unknown): never {
  throw new TransportError(0, 'The server does not answer.', { cause })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  }
  catch {
    return undefined
  }
}

function describeRefusal(response: Response, text: string): TransportError {
  const body = (parseJson(text) ?? {}) as { message?: string, statusMessage?: string, data?: { code?: string } }
  const message = body.message || body.statusMessage || response.statusText || `HTTP ${response.status}`
  return new TransportError(response.ok ? 502 : response.status, message, {
    code: body.data?.code,
    retryAfterSeconds: readRetryAfter(response.headers.get('retry-after')) ?? readRetryText(message),
  })
}

function readRetryAfter(value: string | null): number | undefined {
  if (!value) return undefined
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined
}

/** The seconds of "Retry after 2s", which receipts and some answers carry in their text. */
export function readRetryText(text: string): number | undefined {
  const seconds = /retry after (\d+)/i.exec(text)?.[1]
  return seconds === undefined ? undefined : Number(seconds)
}
