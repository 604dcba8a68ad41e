/**
 * How often a user may ask: a sliding minute per user and operation, in memory, since one process serves a database. A
 * request counts when it comes, and once more for each mebibyte that it sends or gets. Only what the server could not
 * do is refunded. Requests for a session count by address, in a limiter of their own: a flood of addresses cannot evict
 * the users' counters.
 */
import { type H3Event, setResponseHeader, setResponseHeaders } from 'h3'
import { createSyncError } from '../errors.ts'
import { countLimited } from '../lib/limit-counts.ts'
import {
  addMoment, checkMoments, type Moments, pruneMoments, recount, type WindowCheck,
} from '../lib/sliding-window.ts'
import { type RateLimitedOperation, readSyncSettings, type SyncSettings } from '../config/sync.ts'

/** A request that was counted. */
export interface Counted {
  /** Takes one back. */
  refund(): void
  /** Counts the request `units` times more, rounded down. */
  weigh(units: number): void
}

const uncounted: Counted = { refund() {}, weigh() {} }

const windowMs = 60_000
/** At most 100 moments a user and operation: a check takes some 10 µs, and 10,000 users some 60 MB. */
const stepMs = 600
/** The user longest silent is forgotten first. */
const maxCounted = 10_000

interface Options {
  readLimits: () => SyncSettings['rateLimits']
  /** Milliseconds that never go back. */
  now: () => number
}

/** Counts each user's requests of the last minute, by operation. */
export function createRateLimiter({ readLimits, now }: Options) {
  /** The users most recently counted are last. */
  const counted = new Map<string, Moments>()
  const keyOf = (operation: RateLimitedOperation, userId: string) => `${operation}\0${userId}`

  function recent(key: string): Moments {
    const moments = pruneMoments(counted.get(key) ?? [], now(), { windowMs })
    if (moments.length === 0) counted.delete(key)
    return moments
  }

  return {
    /** Whether one more is allowed, and how many after it; null where the operation has no limit. */
    check(operation: RateLimitedOperation, userId: string): WindowCheck | null {
      const maxRequests = readLimits()[operation]
      if (maxRequests === null) return null
      return checkMoments(recent(keyOf(operation, userId)), now(), { windowMs, maxRequests })
    },
    /** Counts one request. */
    record(operation: RateLimitedOperation, userId: string): Counted {
      const limit = readLimits()[operation]
      if (limit === null) return uncounted
      const key = keyOf(operation, userId)
      const moment = now()
      const moments = addMoment(recent(key), moment, stepMs)
      counted.delete(key)
      counted.set(key, moments)
      if (counted.size > maxCounted) counted.delete(counted.keys().next().value!)
      const count = (by: number) => {
        const known = counted.get(key)
        if (known) counted.set(key, recount(known, moment, by))
      }
      return {
        refund: () => count(-1),
        // More than the limit is as good as the limit.
        weigh: (units) => {
          if (units >= 1) count(Math.min(Math.floor(units), limit))
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

/**
 * Counts the request of the user, or of the address for a session. Says on the answer what is left. Throws RATE_LIMITED
 * where that is nothing.
 */
export function countRequest(event: H3Event, operation: RateLimitedOperation, userId: string): Counted {
  const limiter = operation === 'session' ? addresses : users
  const check = limiter.check(operation, userId)
  if (!check) return uncounted
  setResponseHeaders(event, {
    'X-RateLimit-Limit': String(readSyncSettings().rateLimits[operation]),
    'X-RateLimit-Remaining': String(check.remaining),
  })
  if (check.allowed) return limiter.record(operation, userId)
  countLimited('rate')
  const retryAfterSeconds = Math.ceil(check.retryAfterMs! / 1_000)
  setResponseHeader(event, 'Retry-After', retryAfterSeconds)
  throw createRateLimitError(retryAfterSeconds)
}

/** The 429 for a limit that is used up; clients parse the seconds from the text and from `Retry-After`. */
export function createRateLimitError(retryAfterSeconds: number) {
  return createSyncError('RATE_LIMITED', `Rate limit exceeded. Retry after ${retryAfterSeconds}s`)
}
