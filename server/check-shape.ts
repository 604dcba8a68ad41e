/**
 * A zod schema asked without a throw. zod measures the length of whatever has one and fails with a TypeError where that
 * cannot become a number (`{ "length": { "toString": null } }`): to its caller that is one more wrong shape.
 */
import type { ZodType } from 'zod'

export type Checked<T> = { data: T, wrong?: undefined } | { wrong: string }

/** The value in the schema's shape, or what is wrong first, as `path: message`. */
export function checkShape<T>(schema: ZodType<T>, value: unknown, whole = 'body'): Checked<T> {
  try {
    const parsed = schema.safeParse(value)
    if (parsed.success) return { data: parsed.data }
    const issue = parsed.error.issues[0]!
    return { wrong: `${issue.path.map(String).join('.') || whole}: ${issue.message}` }
  }
  catch {
    return { wrong: `${whole}: holds a value of another type` }
  }
}
