/**
 * A sliding window over the moments of requests. Requests of one thousandth of the window share the last of their
 * moments, so that a key's state is bounded whatever its limit is, and no window ever takes more than the limit. Pure.
 */
import type { RateLimitConfig, RateLimitResult, RateLimitStats } from './types.ts'

/** Each moment with the number of requests that share it; oldest first. */
export type Moments = readonly (readonly [momentMs: number, count: number])[]

const steps = 1_000

/** The moments that still count. */
export function pruneMoments(moments: Moments, nowMs: number, { windowMs }: RateLimitConfig): Moments {
  // A moment far ahead was written before the clock was set back. It would count for ever.
  return moments.filter(([momentMs]) => momentMs > nowMs - windowMs && momentMs <= nowMs + windowMs)
}

/** Whether one more request is allowed beside `moments`, which are pruned; the answer counts it. */
export function checkMoments(
  moments: Moments,
  nowMs: number,
  { windowMs, maxRequests }: RateLimitConfig,
): RateLimitResult {
  const used = sum(moments)
  if (used < maxRequests) return { allowed: true, remaining: maxRequests - used - 1 }
  let toFree = used - maxRequests + 1
  const freeing = moments.find(([, count]) => (toFree -= count) <= 0)
  return { allowed: false, remaining: 0, retryAfterMs: Math.max(1, (freeing?.[0] ?? nowMs) + windowMs - nowMs) }
}

/** The moments with one more request. Requests of one step share the last of their moments. */
export function addMoment(moments: Moments, nowMs: number, { windowMs }: RateLimitConfig): Moments {
  const step = Math.max(1, Math.floor(windowMs / steps))
  const last = moments.at(-1)
  const isSameStep = last !== undefined && Math.ceil(last[0] / step) === Math.ceil(nowMs / step)
  return isSameStep ? [...moments.slice(0, -1), [Math.max(last[0], nowMs), last[1] + 1]] : [...moments, [nowMs, 1]]
}

/** The limit's state for its user; null where nothing counts. `moments` are pruned. */
export function describeMoments(
  moments: Moments,
  nowMs: number,
  { windowMs, maxRequests }: RateLimitConfig,
): RateLimitStats | null {
  if (moments.length === 0) return null
  return {
    limit: maxRequests,
    remaining: Math.max(0, maxRequests - sum(moments)),
    resetMs: Math.max(0, moments[0]![0] + windowMs - nowMs),
  }
}

function sum(moments: Moments): number {
  return moments.reduce((total, [, count]) => total + count, 0)
}
