/**
 * How often a user may ask: a sliding minute per user and operation, in memory, since one process serves a database. A
 * request counts when it comes, and once more for each mebibyte that it sends or gets. Only what the server could not
 * do is refunded. Requests for a session count by address, in a limiter of their own: a flood of addresses cannot evict
 * the users' counters.
 */
import { type H3Event, setResponseHeader, setResponseHeaders } from 'h3'
import { createSyncError } from '../errors.ts'
import { countLimited } from '../lib/limited.ts'
import { type RateLimitedOperation, readSyncSettings, type SyncSettings } from '../config/sync.ts'

export interface RateLimitAllowance {
  allowed: boolean
  limit: number
  remaining: number
  /** 0 where the request is allowed. */
  retryAfterSeconds: number
}

/** A request that was counted. */
export interface Counted {
  /** Takes one back. */
  refund(): void
  /** Counts the request `units` times more, rounded down. */
  weigh(units: number): void
}

const uncounted: Counted = { refund() {}, weigh() {} }

const windowMs = 60_000
/** The user longest silent is forgotten first; at the usual limits this is at most 80 MB. */
const maxCounted = 10_000

interface Options {
  readLimits: () => SyncSettings['rateLimits']
  /** Milliseconds that never go back. */
  now: () => number
}

/** Counts each user's requests of the last minute, by operation. */
export function createRateLimiter({ readLimits, now }: Options) {
  /** The moments of the last minute's requests, oldest first; the users most recently counted are last. */
  const counted = new Map<string, number[]>()
  const keyOf = (operation: RateLimitedOperation, userId: string) => `${operation}\0${userId}`

  function recent(key: string): number[] {
    const moments = counted.get(key) ?? []
    const from = now() - windowMs
    const first = moments.findIndex(moment => moment > from)
    if (first === -1) counted.delete(key)
    else if (first > 0) moments.splice(0, first)
    return first === -1 ? [] : moments
  }

  return {
    /** Null where the operation has no limit. */
    check(operation: RateLimitedOperation, userId: string): RateLimitAllowance | null {
      const limit = readLimits()[operation]
      if (limit === null) return null
      const moments = recent(keyOf(operation, userId))
      if (moments.length < limit) {
        return { allowed: true, limit, remaining: limit - moments.length, retryAfterSeconds: 0 }
      }
      // The next is allowed when the oldest of the last `limit` requests is a minute old.
      const freeAt = moments[moments.length - limit]! + windowMs
      return { allowed: false, limit, remaining: 0, retryAfterSeconds: Math.max(1, Math.ceil((freeAt - now()) / 1000)) }
    },
    /** Counts one request. */
    record(operation: RateLimitedOperation, userId: string): Counted {
      const limit = readLimits()[operation]
      if (limit === null) return uncounted
      const key = keyOf(operation, userId)
      const moments = recent(key)
      const moment = now()
      moments.push(moment)
      counted.delete(key)
      counted.set(key, moments)
      if (counted.size > maxCounted) counted.delete(counted.keys().next().value!)
      return {
        refund() {
          const at = moments.lastIndexOf(moment)
          if (at !== -1) moments.splice(at, 1)
        },
        weigh(units) {
          // More than the limit is as good as the limit.
          const more = Math.min(Math.floor(units), limit)
          if (more > 0) moments.splice(moments.lastIndexOf(moment) + 1, 0, ...Array<number>(more).fill(moment))
        },
      }
    },
    get size() {
      return counted.size
    },
  }
}

const options: Options = { readLimits: () => readSyncSettings().rateLimits, now: () => performance.now() }
const users = createRateLimiter(options)
const addresses = createRateLimiter(options)
const limiterOf = (operation: RateLimitedOperation) => operation === 'session' ? addresses : users

/** Whether the user, or the address, may ask now, as the X-RateLimit headers say; null where there is no limit. */
export function checkRateLimit(operation: RateLimitedOperation, userId: string): RateLimitAllowance | null {
  return limiterOf(operation).check(operation, userId)
}

/** Counts the request. Throws as `refuseTooMany` does. */
export function countRequest(event: H3Event, operation: RateLimitedOperation, userId: string): Counted {
  refuseTooMany(event, operation, userId)
  return limiterOf(operation).record(operation, userId)
}

/** Says on the answer what is left. Throws RATE_LIMITED where that is nothing. */
function refuseTooMany(event: H3Event, operation: RateLimitedOperation, userId: string): void {
  const allowance = checkRateLimit(operation, userId)
  if (!allowance) return
  setResponseHeaders(event, {
    'X-RateLimit-Limit': String(allowance.limit),
    // This request is counted in.
    'X-RateLimit-Remaining': String(Math.max(0, allowance.remaining - 1)),
  })
  if (allowance.allowed) return
  countLimited('rate')
  setResponseHeader(event, 'Retry-After', allowance.retryAfterSeconds)
  throw createRateLimitError(allowance)
}

/** The 429 for an allowance that is used up; clients parse the seconds from the text and from `Retry-After`. */
export function createRateLimitError({ retryAfterSeconds }: RateLimitAllowance) {
  return createSyncError('RATE_LIMITED', `Rate limit exceeded. Retry after ${retryAfterSeconds}s`)
}
