/**
 * Who a request of the playground comes from: a name, taken at its word.
 * Good enough for a demo on your own machine and for nothing else: there is no password.
 */
import { getCookie, getHeader } from 'h3'
import type { H3Event } from 'h3'

export const DEMO_COOKIE = 'demo_user'
export const DEMO_HEADER = 'x-demo-user'

/** The trimmed name, or null when it is not 1 to 64 well-formed characters without control characters. */
export function parseDemoName(value: unknown): string | null {
  if (typeof value !== 'string') return null
  const name = value.trim()
  if (name.length < 1 || name.length > 64) return null
  return /\p{Cc}/u.test(name) || !name.isWellFormed() ? null : name
}

/** The header wins over the cookie, so that a script can act as somebody without a cookie jar. */
export function readDemoUser(event: H3Event): string | null {
  return parseDemoName(getHeader(event, DEMO_HEADER) ?? getCookie(event, DEMO_COOKIE))
}
