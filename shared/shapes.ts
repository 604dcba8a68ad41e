/**
 * The shape of each request, as zod schemas. Only what the server uses is checked, so a field of a later client passes.
 * What can be wrong with a single op is not decided here (server/sync/push/validate.ts).
 */
import { z } from 'zod'
import { toNumber } from './parse-json.ts'
import {
  defaultPullLimit, maxPageTokenLength, maxPullLimit, maxPullWaitMs, maxRetentionSeconds, maxSnapshotPageSize,
  maxTableNameLength, maxTablesInFilter, minRetentionSeconds,
} from './limits.ts'

const scope = z.object({ workspaceId: z.string(), projectId: z.string().optional() })
const tables = z.array(z.string().min(1).max(maxTableNameLength)).max(maxTablesInFilter).optional()
/** Rounds a number that no double can hold, as `JSON.parse` would. */
const rounded = (value: unknown) => toNumber(value) ?? value
const integer = (schema: z.ZodNumber) => z.preprocess(rounded, schema.int())
const version = integer(z.number().min(0))

/** Any number: a clock out of range refuses its own op, not the whole batch. */
const anyNumber = z.unknown().transform((value, context) => {
  const number = toNumber(value)
  if (number !== undefined) return number
  context.addIssue('Invalid input: expected number')
  return z.NEVER
})

/** Each op is checked by itself, so that a large batch can be checked in parts. */
export const pushBatch = z.object({ scope, ops: z.array(z.unknown()) })

export const pushedOp = z.object({
  tableName: z.string(),
  operation: z.enum(['put', 'delete']),
  pk: z.string(),
  payload: z.unknown().optional(),
  stamp: z.object({ deviceId: z.string(), opId: z.string(), hlc: z.string(), clock: anyNumber }),
})

export const pullRequest = z.object({
  scope,
  cursor: version,
  limit: integer(z.number().min(1).max(maxPullLimit)).default(defaultPullLimit),
  tables,
  history: z.boolean().default(false),
  waitMs: integer(z.number().min(0).max(maxPullWaitMs)).optional(),
})

export const snapshotRequest = z.object({
  scope,
  pageSize: integer(z.number().min(1).max(maxSnapshotPageSize)),
  pageToken: z.string().min(1).max(maxPageTokenLength).optional(),
  tables,
})

export const updateCursorRequest = z.object({ scope, deviceId: z.string(), version })

export const cleanUpRequest = z.object({
  scope,
  retentionSeconds: integer(z.number().min(minRetentionSeconds).max(maxRetentionSeconds)),
})
