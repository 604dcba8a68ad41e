/**
 * Answers an unknown API path, or an unknown method of a known one, with JSON. Nuxt would answer with a page and 200.
 * It is the last of all routes, so an app's own under `/api` come first.
 */
import { defineEventHandler, type H3Event, setResponseHeader, setResponseStatus } from 'h3'
import { createSyncError } from '../errors.ts'
import { toHttpError } from '../http/errors.ts'

/** Returned and not thrown: Nitro answers an error to a browser with a page. */
export default defineEventHandler((event) => {
  const methods = readMethods(event)
  const error = toHttpError(methods.length === 0
    ? createSyncError('NOT_FOUND', 'There is no such API path.')
    : createSyncError('METHOD_NOT_ALLOWED', `This path does not take ${event.method}: use ${methods.join(' or ')}.`))
  if (methods.length > 0) setResponseHeader(event, 'Allow', methods.join(', '))
  setResponseStatus(event, error.statusCode, error.statusMessage)
  const { statusCode, statusMessage, message, data } = error
  return { error: true, statusCode, statusMessage, message, data }
})

/** h3 leaves the route that has the path here, also where only this one has the method. */
function readMethods({ context }: H3Event): string[] {
  const { handlers } = context.matchedRoute as unknown as { handlers: Record<string, unknown> }
  return Object.keys(handlers).filter(method => method !== 'all').map(method => method.toUpperCase()).sort()
}
