/** Turns the layer's refusals into HTTP answers: the one place for the layer's own routes. */
import { STATUS_CODES } from 'node:http'
import { createError, defineEventHandler, type H3Error, type H3Event } from 'h3'
import { type ErrorData, errorKinds } from '../../shared/error-codes.ts'
import { isSyncError, type SyncError } from '../errors.ts'

/** The h3 error of a refusal, with `{ code, retryable }` as its data. */
export function toHttpError(error: SyncError): H3Error<ErrorData> {
  const { code, retryable, message } = error
  const { status } = errorKinds[code]
  return createError<ErrorData>({
    statusCode: status, statusMessage: STATUS_CODES[status] ?? '', message, data: { code, retryable },
    cause: error.cause ?? error,
  })
}

/** Runs `work`; a refusal leaves as its h3 error, anything else as it is. */
export async function answerErrors<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  }
  catch (error) {
    throw isSyncError(error) ? toHttpError(error) : error
  }
}

/** An event handler whose refusals are answered with their status and code. */
export function defineHandler<T>(serve: (event: H3Event) => T) {
  return defineEventHandler(event => answerErrors(() => serve(event)))
}
