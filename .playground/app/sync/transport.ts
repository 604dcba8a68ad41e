/**
 * The sync routes over `fetch`: one POST each, JSON both ways.
 * Anything but a 2xx answer with a JSON body becomes a `TransportError`; retrying is the caller's decision.
 */
import type {
  PullRequest,
  PullResponse,
  PushBatch,
  PushResult,
  SnapshotRequest,
  SnapshotResponse,
  Transport,
  UpdateCursorRequest,
} from './wire.ts'

/** A first page on a slow disk takes seconds; a dead connection should not hold the outbox for minutes. */
const TIMEOUT_MS = 30_000

export class TransportError extends Error {
  /** HTTP status, 0 when no answer came. */
  readonly status: number
  readonly code?: string | undefined
  readonly retryAfterSeconds?: number | undefined

  constructor(status: number, message: string, details: { code?: string | undefined, retryAfterSeconds?: number | undefined } = {}) {
    super(message)
    this.name = 'TransportError'
    this.status = status
    this.code = details.code
    this.retryAfterSeconds = details.retryAfterSeconds
  }
}

export function createHttpTransport(options: { baseUrl?: string | undefined, headers?: Record<string, string> | undefined } = {}) {
  const post = (route: string, body: unknown): Promise<unknown> =>
    postJson(`${(options.baseUrl ?? '').replace(/\/$/, '')}/api/sync/${route}`, body, options.headers ?? {})

  return {
    push: (batch: PushBatch) => post('push', batch) as Promise<PushResult>,
    pull: (request: PullRequest) => post('pull', request) as Promise<PullResponse>,
    updateCursor: (request: UpdateCursorRequest) => post('update-cursor', request),
    snapshot: (request: SnapshotRequest) => post('snapshot', request) as Promise<SnapshotResponse>,
  } satisfies Transport
}

async function postJson(url: string, body: unknown, headers: Record<string, string>): Promise<unknown> {
  let response: Response
  let text: string
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    text = await response.text()
  }
  catch (cause) {
    const error = new TransportError(0, `No answer from ${url}.`, { code: 'NETWORK_ERROR' })
    error.cause = cause
    throw error
  }
  const answer = parseJson(text)
  if (response.ok && answer !== undefined) return answer
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
  const body = (answer ?? {}) as { message?: string | undefined, statusMessage?: string | undefined, data?: { code?: string | undefined } | undefined }
  const message = body.message || body.statusMessage || response.statusText || `HTTP ${response.status}`
  const seconds = Number(response.headers.get('retry-after') ?? /retry after (\d+)/i.exec(message)?.[1] ?? NaN)
  return new TransportError(response.status, message, {
    code: body.data?.code,
    retryAfterSeconds: Number.isFinite(seconds) ? seconds : undefined,
  })
}
