/**
 * The body of a request as a checked value. Its size is bounded before it is parsed (nitro has no limit of its own,
 * nitrojs/nitro#2150), and it is read as JSON whatever its content type says. A wrong one is a 400 that names the
 * field, a long one a 413.
 */
import { isUtf8 } from 'node:buffer'
import { IncomingMessage } from 'node:http'
import { getRequestHeader, type H3Event, readRawBody } from 'h3'
import type { ZodType } from 'zod'
import { createSyncError } from '../errors.ts'
import { parseJson } from '../../shared/parse-json.ts'
import { readSyncSettings } from '../config/sync.ts'
import { parseRequest } from '../lib/parse-request.ts'

/** Names, descriptions and tokens fit many times over. */
const defaultMaxBytes = 64 * 1024

export async function readJsonBody<T>(event: H3Event, schema: ZodType<T>, { maxBytes = defaultMaxBytes } = {}): Promise<T> {
  return parseRequest(schema, await readAnyJson(event, maxBytes), 'Invalid request body')
}

/** The body of a sync request, its shape not yet checked. */
export function readSyncBody(event: H3Event, maxBytes = Infinity): Promise<unknown> {
  return readAnyJson(event, Math.min(maxBytes, readSyncSettings().maxBodyBytes))
}

async function readAnyJson(event: H3Event, maxBytes: number): Promise<unknown> {
  const text = await readBoundedText(event, maxBytes)
  if (text.trim() === '') throw createSyncError('INVALID_REQUEST', 'The body is empty: send a JSON object')
  try {
    return parseJson(text)
  }
  catch (error) {
    throw createSyncError('INVALID_REQUEST', error instanceof RangeError ? `The body is too much for a parser: ${error.message}` : 'The body is not valid JSON')
  }
}

async function readBoundedText(event: H3Event, maxBytes: number): Promise<string> {
  const request = event.node.req
  const encoding = getRequestHeader(event, 'content-encoding')
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') throw createSyncError('UNSUPPORTED_ENCODING', 'The body is compressed: send it as it is, without a content-encoding')
  const length = Number(getRequestHeader(event, 'content-length') ?? 0)
  if (length > maxBytes) throw refuseRest(request, maxBytes)
  const bytes = isUnread(request) ? await readStream(request, length, maxBytes) : await readRawBody(event, false) ?? Buffer.alloc(0)
  if (bytes.length > maxBytes) throw refuseRest(request, maxBytes)
  if (!isUtf8(bytes)) throw createSyncError('INVALID_REQUEST', 'The body is not UTF-8')
  return bytes.toString('utf8')
}

/** Else something has read it before us, as a middleware may, or it never was a stream: h3 knows where it is then. */
function isUnread(request: IncomingMessage): boolean {
  return request instanceof IncomingMessage && !request.readableDidRead && !request.readableEnded && !('body' in request) && !('rawBody' in request)
}

const firstBytes = 16 * 1024
const mostAtFirst = 1024 * 1024

/** Into one buffer: a chunk kept as it comes is some hundred bytes more, and a client may send one byte in each. */
function readStream(request: IncomingMessage & { rawBody?: Buffer }, length: number, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let buffer = Buffer.allocUnsafe(Math.min(Math.max(length, firstBytes), mostAtFirst))
    let size = 0
    request.on('data', (chunk: Buffer) => {
      const needed = size + chunk.length
      // Without a length it is counted as it comes.
      if (needed > maxBytes) return reject(refuseRest(request, maxBytes))
      if (needed > buffer.length) {
        const larger = Buffer.allocUnsafe(Math.max(2 * buffer.length, needed))
        buffer.copy(larger, 0, 0, size)
        buffer = larger
      }
      size += chunk.copy(buffer, size)
    })
    request.once('end', () => {
      // Where h3 looks for it, should anybody read the body after us.
      request.rawBody = buffer.subarray(0, size)
      resolve(request.rawBody)
    })
    const refuse = (cause?: Error) => reject(createSyncError('INVALID_REQUEST', 'The body ended before all of it had come', { cause }))
    request.once('error', refuse)
    request.once('close', refuse)
  })
}

/** What still comes is read and thrown away: a connection closed at once would often lose the answer on its way. */
function refuseRest(request: IncomingMessage, maxBytes: number) {
  request.removeAllListeners?.('data')
  request.resume?.()
  return createSyncError('BODY_TOO_LARGE', `The body is larger than ${maxBytes} bytes`)
}
