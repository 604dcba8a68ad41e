/** The shape check of a request: its value in the schema's shape, or one refusal that names the first wrong field. */
import type { ZodType } from 'zod'
import { createSyncError } from '../errors.ts'
import { checkShape } from './check-shape.ts'

/**
 * The value in the schema's shape. Throws INVALID_REQUEST, whose message starts with `what` and names the first wrong
 * field; `part` is the path of the value in the request.
 */
export function parseRequest<T>(schema: ZodType<T>, value: unknown, what: string, part?: string): T {
  const checked = checkShape(schema, value, '')
  if (checked.wrong === undefined) return checked.data
  // A wrong value as a whole has no path.
  const path = checked.wrong.startsWith(':') ? part ?? 'body' : part === undefined ? '' : `${part}.`
  throw createSyncError('INVALID_REQUEST', `${what}: ${path}${checked.wrong}`)
}
