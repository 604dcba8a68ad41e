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

/**
 * Creates the way to a server over HTTP.
 *
 * @example
 * createHttpTransport({ headers: async () => ({ authorization: `Bearer ${await getToken()}` }) })
 */
export function createHttpTransport(options: HttpTransportOptions = {}): Transport {
  const address = (route: string) => `${(options.baseUrl ?? '').replace(/\/$/, '')}/api/sync/${route}`
  const readHeaders = async () => typeof options.headers === 'function' ? options.headers() : options.headers
  const post = async <T>(route: string, body: unknown, signal?: AbortSignal): Promise<T> =>
    postJson(address(route), body, { ...options, headers: await readHeaders(), signal })
  return {
    push: batch => post('push', batch),
    pull: (request, signal) => post('pull', request, signal),
    snapshot: request => post('snapshot', request),
    updateCursor: request => post('update-cursor', request),
    async openLive(workspaceId, client, signal) {
      const query = new URLSearchParams({ workspaceId, client })
      return openStream(`${address('live')}?${query}`, { ...options, headers: await readHeaders(), signal })
    },
  }
}

interface RequestOptions extends Omit<HttpTransportOptions, 'headers'> {
  headers: Record<string, string> | undefined
  signal: AbortSignal | undefined
}

async function openStream(url: string, options: RequestOptions): Promise<ReadableStream<Uint8Array>> {
  const response = await (options.fetch ?? fetch)(url, {
    headers: { accept: 'text/event-stream', ...options.headers },
    cache: 'no-store',
    signal: options.signal!,
    ...options.credentials && { credentials: options.credentials },
  }).catch((cause: unknown) => {
    throw new TransportError(0, 'The server does not answer.', { cause })
  })
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false
  if (response.ok && isStream && response.body) return response.body
  if (response.ok) throw new TransportError(501, 'The server has no live stream.')
  throw describeRefusal(response, parseJson(await response.text().catch(() => '')))
}

async function postJson<T>(url: string, body: unknown, options: RequestOptions): Promise<T> {
  let response: Response
  let text: string
  try {
    response = await (options.fetch ?? fetch)(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...options.headers },
      body: JSON.stringify(body),
      signal: limitTime(options),
      ...options.credentials && { credentials: options.credentials },
    })
    text = await response.text()
  }
  catch (cause) {
    throw new TransportError(0, 'The server does not answer.', { cause })
  }
  const answer = parseJson(text)
  if (response.ok && typeof answer === 'object' && answer !== null) return answer as T
  throw describeRefusal(response, answer)
}

function limitTime({ signal, timeoutMs = defaultTimeoutMs }: RequestOptions): AbortSignal {
  const limit = AbortSignal.timeout(timeoutMs)
  return signal ? AbortSignal.any([signal, limit]) : limit
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  }
  catch {
    return undefined
  }
}

function describeRefusal(response: Response, answer: unknown): TransportError {
  const body = (answer ?? {}) as { message?: string, statusMessage?: string, data?: { code?: string } }
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
