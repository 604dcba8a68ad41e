/**
 * The body of a request as a checked value. Its size is bounded before it is parsed (nitro has no limit of its own,
 * nitrojs/nitro#2150), and a large one counts against the byte budget before it is read. It is read as JSON whatever
 * its content type says. A wrong one is a 400 that names the field, a long one a 413.
 */
import { isUtf8 } from 'node:buffer'
import { IncomingMessage } from 'node:http'
import { getRequestHeader, type H3Event, readRawBody } from 'h3'
import type { ZodType } from 'zod'
import { maxQueryBytes, smallBytes } from '../../shared/limits.ts'
import { parseJson } from '../../shared/parse-json.ts'
import { readSyncSettings } from '../config/sync.ts'
import { createSyncError, isSyncError } from '../errors.ts'
import { countLimited } from '../lib/limit-counts.ts'
import { createJsonScan, type JsonScan } from '../lib/json-scan.ts'
import { parseRequest } from '../lib/parse-request.ts'
import { takeBytes } from './byte-budget.ts'
import { parseInParts } from './parted-json.ts'

/** Reads a small body. Throws INVALID_REQUEST, BODY_TOO_LARGE, UNSUPPORTED_ENCODING. */
export async function readJsonBody<T>(event: H3Event, schema: ZodType<T>): Promise<T> {
  return parseRequest(schema, await readSmallJson(event), 'Invalid request body')
}

/** The value of a body of at most 64 KiB, its shape not yet checked. Throws as `readJsonBody` does. */
export async function readSmallJson(event: H3Event): Promise<unknown> {
  const bytes = await readBytes(event, { maxBytes: Math.min(maxQueryBytes, readSyncSettings().maxBodyBytes) })
  return parse(() => parseJson(toText(bytes)))
}

/** A push's body and how many bytes it had. */
export interface PushBody { value: unknown, bytes: number }

/**
 * The body of a push, its shape not yet checked; the ops of a large one are functions that parse them. Throws as
 * `readJsonBody` does, and RATE_LIMITED or SERVER_BUSY where too many bytes are in memory.
 */
export async function readPushBody(event: H3Event, userId: string): Promise<PushBody> {
  const { maxBodyBytes: maxBytes, maxOpsPerPush } = readSyncSettings()
  let held = smallBytes
  let scan: JsonScan | undefined
  const bytes = await readBytes(event, {
    maxBytes,
    async reserve(size) {
      if (size <= held) return
      await takeBytes(event, userId, size - held)
      held = size
    },
    onBytes(buffer, size) {
      if (size <= parsedWhole) return
      scan ??= createJsonScan(maxOpsPerPush)
      scan.feed(buffer, size)
    },
  })
  if (bytes.length <= parsedWhole) return { value: parse(() => parseJson(toText(bytes))), bytes: bytes.length }
  if (!isUtf8(bytes)) throw notUtf8()
  // Where the app has read the body before us nothing was scanned yet.
  scan ??= createJsonScan(maxOpsPerPush)
  const { ops } = scan
  return { value: parse(() => parseInParts(scanned(scan!, bytes), ops, parse)), bytes: bytes.length }
}

/** A smaller body is parsed at once, which takes V8 some milliseconds at worst. */
const parsedWhole = 256 * 1024

function scanned(scan: JsonScan, bytes: Buffer): Buffer {
  scan.feed(bytes, bytes.length)
  return bytes
}

function parse<T>(work: () => T): T {
  try {
    return work()
  }
  catch (error) {
    throw toRefusal(error)
  }
}

function toRefusal(error: unknown): Error {
  if (isSyncError(error)) return error
  if (!(error instanceof RangeError)) return createSyncError('INVALID_REQUEST', 'The body is not valid JSON')
  countLimited('shape')
  return createSyncError('INVALID_REQUEST', `The body is too much for a parser: ${error.message}`)
}

function toText(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw notUtf8()
  const text = bytes.toString('utf8')
  if (text.trim() === '') throw createSyncError('INVALID_REQUEST', 'The body is empty: send a JSON object')
  return text
}

function notUtf8() {
  return createSyncError('INVALID_REQUEST', 'The body is not UTF-8')
}

interface ReadOptions {
  maxBytes: number
  /** Waits until so many bytes may be in memory. */
  reserve?: (size: number) => Promise<void>
  /** Looks at the first `size` bytes of `buffer`; what it throws ends the reading. */
  onBytes?: (buffer: Buffer, size: number) => void
}

async function readBytes(event: H3Event, options: ReadOptions): Promise<Buffer> {
  const { maxBytes, reserve } = options
  const request = event.node.req
  const encoding = getRequestHeader(event, 'content-encoding')
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw createSyncError(
      'UNSUPPORTED_ENCODING',
      'The body is compressed: send it as it is, without a content-encoding',
    )
  }
  const length = Number(getRequestHeader(event, 'content-length') ?? 0)
  if (length > maxBytes) throw dropRest(request, tooLarge(maxBytes))
  await reserve?.(length)
  const bytes = isUnread(request)
    ? await readStream(request, length, options)
    : await readRawBody(event, false) ?? Buffer.alloc(0)
  if (bytes.length > maxBytes) throw dropRest(request, tooLarge(maxBytes))
  return bytes
}

/** False where a middleware has read it, or it never was a stream: h3 knows where it is then. */
function isUnread(request: IncomingMessage): boolean {
  return request instanceof IncomingMessage && !request.readableDidRead && !request.readableEnded
    && !('body' in request) && !('rawBody' in request)
}

const firstBytes = 16 * 1024
const mostAtFirst = 1024 * 1024

/** Into one buffer: a chunk kept as it comes is some hundred bytes more, and a client may send one byte in each. */
async function readStream(
  request: IncomingMessage & { rawBody?: Buffer },
  length: number,
  { maxBytes, reserve, onBytes }: ReadOptions,
): Promise<Buffer> {
  let buffer = Buffer.allocUnsafe(Math.min(Math.max(length, firstBytes), mostAtFirst))
  let size = 0
  const { socket } = request
  socket.setTimeout(readSyncSettings().idleSeconds * 1000)
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      const needed = size + chunk.length
      // A body without a length is counted as it comes.
      if (needed > maxBytes) throw tooLarge(maxBytes)
      if (needed > buffer.length) {
        const larger = Math.max(2 * buffer.length, needed)
        await reserve?.(Math.min(larger, maxBytes))
        const grown = Buffer.allocUnsafe(larger)
        buffer.copy(grown, 0, 0, size)
        buffer = grown
      }
      size += chunk.copy(buffer, size)
      onBytes?.(buffer, size)
    }
  }
  catch (error) {
    if (error instanceof RangeError) throw dropRest(request, toRefusal(error))
    if (isSyncError(error)) throw dropRest(request, error)
    throw createSyncError('INVALID_REQUEST', 'The body ended before all of it had come', { cause: error })
  }
  finally {
    socket.setTimeout(0)
  }
  // Where h3 finds it, should anybody read the body after us.
  request.rawBody = buffer.subarray(0, size)
  return request.rawBody
}

/**
 * Gives `error`. What follows of the body is read and dropped for a while (admission.ts): a connection that is closed
 * at once often loses its answer.
 */
function dropRest(request: IncomingMessage, error: Error): Error {
  request.resume?.()
  return error
}

function tooLarge(maxBytes: number) {
  return createSyncError('BODY_TOO_LARGE', `The body is larger than ${maxBytes} bytes`)
}
