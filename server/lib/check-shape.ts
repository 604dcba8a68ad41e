/**
 * Checks a value against a zod schema and never throws. zod compares any `length` as a number and throws a TypeError for
 * `{ "length": { "toString": null } }`; that is one more wrong shape.
 */
import { consola } from 'consola'
import type { ZodType } from 'zod'

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

const warned = new WeakSet<ZodType>()

/** A faulty or asynchronous schema refuses every value, so the first throw is logged. */
function warnOnce(schema: ZodType, error: unknown) {
  if (warned.has(schema)) return
  warned.add(schema)
  consola.withTag('or3-sync').warn('A schema threw instead of saying what is wrong, so the value was refused:', error)
}
