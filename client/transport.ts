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
  pull(request: PullRequest): Promise<PullResponse>
  snapshot(request: SnapshotRequest): Promise<SnapshotResponse>
  updateCursor(request: UpdateCursorRequest): Promise<unknown>
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
  const post = async <T>(route: string, body: unknown): Promise<T> => {
    const headers = typeof options.headers === 'function' ? await options.headers() : options.headers
    return postJson(`${(options.baseUrl ?? '').replace(/\/$/, '')}/api/sync/${route}`, body, { ...options, headers })
  }
  return {
    push: batch => post('push', batch),
    pull: request => post('pull', request),
    snapshot: request => post('snapshot', request),
    updateCursor: request => post('update-cursor', request),
  }
}

interface PostOptions extends Omit<HttpTransportOptions, 'headers'> { headers: Record<string, string> | undefined }

async function postJson<T>(url: string, body: unknown, options: PostOptions): Promise<T> {
  let response: Response
  let text: string
  try {
    response = await (options.fetch ?? fetch)(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...options.headers },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(options.timeoutMs ?? defaultTimeoutMs),
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
