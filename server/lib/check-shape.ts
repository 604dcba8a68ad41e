/**
 * Checks a value against a schema and never throws. zod compares any `length` as a number and throws a TypeError for
 * `{ "length": { "toString": null } }`; that is one more wrong shape.
 */
import { consola } from 'consola'
import type { ZodType } from 'zod'
import type { StandardSchema } from '../../shared/synced-table.ts'

export type Checked<T> = { data: T, wrong?: undefined } | { wrong: string }

/** The value in the schema's shape, or the first issue as `path: message`. */
export function checkShape<T>(schema: ZodType<T>, value: unknown, whole = 'body'): Checked<T> {
  try {
    const parsed = schema.safeParse(value)
    if (parsed.success) return { data: parsed.data }
    const issue = parsed.error.issues[0]!
    return { wrong: `${issue.path.map(String).join('.') || whole}: ${issue.message}` }
  }
  catch (error) {
    warnOnce(schema, error)
    return { wrong: `${whole}: holds a value of another type` }
  }
}

/** What is wrong first with a row, as `path: message`; undefined where it fits the schema. */
export function checkRow(schema: StandardSchema, row: unknown): string | undefined {
  try {
    const result = schema['~standard'].validate(row)
    if ('then' in result) {
      void result.then(undefined, () => {})
      throw new TypeError('The schema did not answer at once: one that waits cannot check a push.')
    }
    const issue = result.issues?.[0]
    return issue && `${issue.path?.map(toKey).join('.') || 'payload'}: ${issue.message}`
  }
  catch (error) {
    warnOnce(schema, error)
    return 'payload: holds a value of another type'
  }
}

/** A part of a path is a key, or an object that holds one. */
function toKey(part: unknown): string {
  return String(typeof part === 'object' && part !== null && 'key' in part ? part.key : part)
}

const warned = new WeakSet<object>()

/** A faulty or asynchronous schema refuses every value, so the first throw is logged. */
function warnOnce(schema: object, error: unknown) {
  if (warned.has(schema)) return
  warned.add(schema)
  consola.withTag('or3-sync').warn('A schema threw instead of saying what is wrong, so the value was refused:', error)
}
