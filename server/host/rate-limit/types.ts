/** The host's rate-limit contract as real types. Spans are milliseconds. */
export interface RateLimitConfig { windowMs: number, maxRequests: number }

export interface RateLimitResult {
  allowed: boolean
  remaining: number
  /** How long until one more is allowed; only where this one was not. */
  retryAfterMs?: number | undefined
}

export interface RateLimitStats {
  limit: number
  remaining: number
  /** Until the oldest request that counts no longer does. */
  resetMs: number
}

export interface RateLimitProvider {
  readonly name: string
  /** Counts the request where it is allowed; the check and the count are one. */
  checkAndRecord(key: string, config: RateLimitConfig): Promise<RateLimitResult>
  /** Null where nothing counts. */
  getStats(key: string, config: RateLimitConfig): Promise<RateLimitStats | null>
}
