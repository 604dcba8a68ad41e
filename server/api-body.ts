/**
 * The body of a request as a checked value. Its size is bounded before it is parsed (nitro has no limit of its own,
 * nitrojs/nitro#2150), and it is read as JSON whatever its content type says. A wrong one is a 400 that names the
 * field, a long one a 413.
 */
import { getRequestHeader, type H3Event, readRawBody } from 'h3'
import type { ZodType } from 'zod'
import { fail } from './errors.ts'
import { parseJson } from './parse-json.ts'
import { readSyncSettings } from './sync/settings.ts'
import { parseRequest } from './sync/wire.ts'

/** Names, descriptions and tokens fit many times over. */
const defaultMaxBytes = 64 * 1024

export async function readJsonBody<T>(event: H3Event, schema: ZodType<T>, { maxBytes = defaultMaxBytes } = {}): Promise<T> {
  return parseRequest(schema, await readAnyJson(event, maxBytes), 'Invalid request body')
}

/** The body of a sync request, its shape not yet checked. */
export function readSyncBody(event: H3Event, maxBytes = readSyncSettings().maxBodyBytes): Promise<unknown> {
  return readAnyJson(event, maxBytes)
}

async function readAnyJson(event: H3Event, maxBytes: number): Promise<unknown> {
  const text = await readBoundedText(event, maxBytes)
  if (text.trim() === '') throw fail('INVALID_REQUEST', 'The body is empty: send a JSON object')
  try {
    return parseJson(text)
  }
  catch (error) {
    throw fail('INVALID_REQUEST', error instanceof RangeError ? `The body is too much for a parser: ${error.message}` : 'The body is not valid JSON')
  }
}

async function readBoundedText(event: H3Event, maxBytes: number): Promise<string> {
  const request = event.node.req
  const refuse = () => {
    // What still comes is read and thrown away: a connection closed at once would often lose the answer on its way.
    request.removeAllListeners?.('data')
    request.resume?.()
    return fail('BODY_TOO_LARGE', `The body is larger than ${maxBytes} bytes`)
  }
  if (Number(getRequestHeader(event, 'content-length') ?? 0) > maxBytes) throw refuse()
  const body = readRawBody(event, false).catch((error: unknown) => {
    throw fail('INVALID_REQUEST', 'The body ended before all of it had come', { cause: error })
  })
  if (getRequestHeader(event, 'content-length') !== undefined) return (await body)?.toString('utf8') ?? ''

  // Without a length the bytes are counted as they come.
  const tooLong = new Promise<never>((_, reject) => {
    let size = 0
    request.on?.('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > maxBytes) reject(refuse())
    })
  })
  const whole = await Promise.race([body, tooLong])
  if (whole && whole.length > maxBytes) throw refuse()
  return whole?.toString('utf8') ?? ''
}
