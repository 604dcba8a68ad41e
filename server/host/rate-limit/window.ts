/**
 * A sliding window over the moments of requests. Moments are kept to a thousandth of the window, rounded up, so that a
 * key's state is bounded whatever its limit is, and never more than the limit fit into any window. Pure.
 */
import type { RateLimitConfig, RateLimitResult, RateLimitStats } from './types.ts'

/** A moment and how many requests came up to it; oldest first. */
export type Moments = readonly (readonly [momentMs: number, count: number])[]

const steps = 1_000

export function pruneMoments(moments: Moments, nowMs: number, { windowMs }: RateLimitConfig): Moments {
  // A moment far ahead is one of a clock that was set back since: it would count for ever.
  return moments.filter(([momentMs]) => momentMs > nowMs - windowMs && momentMs <= nowMs + windowMs)
}

/** Whether one more is allowed beside `moments`, which are pruned; the answer counts it. */
export function checkMoments(moments: Moments, nowMs: number, { windowMs, maxRequests }: RateLimitConfig): RateLimitResult {
  const used = sum(moments)
  if (used < maxRequests) return { allowed: true, remaining: maxRequests - used - 1 }
  let toFree = used - maxRequests + 1
  const freeing = moments.find(([, count]) => (toFree -= count) <= 0)
  return { allowed: false, remaining: 0, retryAfterMs: Math.max(1, (freeing?.[0] ?? nowMs) + windowMs - nowMs) }
}

export function addMoment(moments: Moments, nowMs: number, { windowMs }: RateLimitConfig): Moments {
  const step = Math.max(1, Math.floor(windowMs / steps))
  const momentMs = Math.ceil(nowMs / step) * step
  const last = moments.at(-1)
  return last?.[0] === momentMs ? [...moments.slice(0, -1), [momentMs, last[1] + 1]] : [...moments, [momentMs, 1]]
}

export function describeMoments(moments: Moments, nowMs: number, { windowMs, maxRequests }: RateLimitConfig): RateLimitStats | null {
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
