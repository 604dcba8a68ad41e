/**
 * A sliding window over the moments of requests. Requests of one step share the last of their moments, so that the
 * state is bounded whatever the limit is, and no window ever takes more than the limit. Pure.
 */

/** At most so many requests in so long. */
export interface WindowLimit { windowMs: number, maxRequests: number }

export interface WindowCheck {
  allowed: boolean
  /** How many more are allowed after this one. */
  remaining: number
  /** How long until one more is allowed; only where this one was not. */
  retryAfterMs?: number | undefined
}

export interface WindowState {
  limit: number
  remaining: number
  /** Until the oldest request that counts no longer does. */
  resetMs: number
}

/** Each moment with the number of requests that share it; oldest first. */
export type Moments = readonly (readonly [momentMs: number, count: number])[]

/** The moments that still count. */
export function pruneMoments(moments: Moments, nowMs: number, { windowMs }: Pick<WindowLimit, 'windowMs'>): Moments {
  // A moment far ahead was written before the clock was set back. It would count for ever.
  return moments.filter(([momentMs]) => momentMs > nowMs - windowMs && momentMs <= nowMs + windowMs)
}

/** Whether one more request is allowed beside `moments`, which are pruned; the answer counts it. */
export function checkMoments(moments: Moments, nowMs: number, { windowMs, maxRequests }: WindowLimit): WindowCheck {
  const used = sum(moments)
  if (used < maxRequests) return { allowed: true, remaining: maxRequests - used - 1 }
  let toFree = used - maxRequests + 1
  const freeing = moments.find(([, count]) => (toFree -= count) <= 0)
  return { allowed: false, remaining: 0, retryAfterMs: Math.max(1, (freeing?.[0] ?? nowMs) + windowMs - nowMs) }
}

/** The moments with one more request. Requests of one step of `stepMs` share the last of their moments. */
export function addMoment(moments: Moments, nowMs: number, stepMs: number): Moments {
  const last = moments.at(-1)
  const isSameStep = last !== undefined && Math.ceil(last[0] / stepMs) === Math.ceil(nowMs / stepMs)
  return isSameStep ? [...moments.slice(0, -1), [Math.max(last[0], nowMs), last[1] + 1]] : [...moments, [nowMs, 1]]
}

/** The moments with the request of `momentMs` counted `by` times more, or less where `by` is negative. */
export function recount(moments: Moments, momentMs: number, by: number): Moments {
  // A later request of the same step may have moved the moment on.
  const at = moments.findIndex(([later]) => later >= momentMs)
  return moments.flatMap(([moment, count], index): Moments => {
    const now = index === at ? count + by : count
    return now > 0 ? [[moment, now]] : []
  })
}

/** The limit's state for its user; null where nothing counts. `moments` are pruned. */
export function describeMoments(
  moments: Moments,
  nowMs: number,
  { windowMs, maxRequests }: WindowLimit,
): WindowState | null {
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
