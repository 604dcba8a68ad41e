/** The shape check of a request: its value in the schema's shape, or one refusal that names the first wrong field. */
import type { ZodType } from 'zod'
import { createSyncError } from '../errors.ts'
import { checkShape } from './check-shape.ts'

/** Throws INVALID_REQUEST, whose message starts with `what` and names the first wrong field. */
export function parseRequest<T>(schema: ZodType<T>, value: unknown, what: string): T {
  const checked = checkShape(schema, value)
  if (checked.wrong === undefined) return checked.data
  throw createSyncError('INVALID_REQUEST', `${what}: ${checked.wrong}`)
}
