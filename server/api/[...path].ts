/**
 * An API path that nobody has, or not with this method: answered as JSON, where Nuxt would answer with a page and 200.
 * It is the last of all routes, so an app's own under `/api` come first.
 */
import { type H3Event, setResponseHeader } from 'h3'
import { createSyncError } from '../errors.ts'
import { defineHandler } from '../http/errors.ts'

export default defineHandler((event) => {
  const methods = readMethods(event)
  if (methods.length === 0) throw createSyncError('NOT_FOUND', 'There is no such API path.')
  setResponseHeader(event, 'Allow', methods.join(', '))
  throw createSyncError('METHOD_NOT_ALLOWED', `This path does not take ${event.method}: use ${methods.join(' or ')}.`)
})

/** h3 leaves the route that has the path here, also where only this one has the method. */
function readMethods({ context }: H3Event): string[] {
  const { handlers } = context.matchedRoute as unknown as { handlers: Record<string, unknown> }
  return Object.keys(handlers).filter(method => method !== 'all').map(method => method.toUpperCase()).sort()
}
