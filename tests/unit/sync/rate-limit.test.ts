/** Seen red: the window never moved on, every request counted at once, the oldest user kept for ever. */
import { afterEach, describe, expect, it } from 'vitest'
import { requestsPerMinute } from '../../../shared/limits.ts'
import { createRateLimiter, createRateLimitError } from '../../../server/http/rate-limit.ts'
import { configureSync, readSyncSettings } from '../../../server/config/sync.ts'

afterEach(() => configureSync())

function makeLimiter(limits: Partial<typeof requestsPerMinute> = {}) {
  let now = 1_000_000
  const limiter = createRateLimiter({ readLimits: () => ({ ...requestsPerMinute, ...limits }), now: () => now })
  return { ...limiter, sizeOf: () => limiter.size, advance: (ms: number) => now += ms }
}

describe('a rate limit', () => {
  it('is a minute that slides', () => {
    const { check, record, advance } = makeLimiter({ push: 3 })
    for (let index = 0; index < 3; index++) {
      expect(check('push', 'ann')).toEqual({ allowed: true, remaining: 2 - index })
      record('push', 'ann')
      advance(10_000)
    }
    expect(check('push', 'ann')).toEqual({ allowed: false, remaining: 0, retryAfterMs: 30_000 })
    advance(29_999)
    expect(check('push', 'ann')).toMatchObject({ allowed: false, retryAfterMs: 1 })
    advance(1)
    expect(check('push', 'ann')).toMatchObject({ allowed: true, remaining: 0 })
    advance(60_000)
    expect(check('push', 'ann')).toMatchObject({ allowed: true, remaining: 2 })
  })

  it('counts each user and each operation alone, and nothing that was not recorded', () => {
    const { check, record } = makeLimiter({ push: 1 })
    record('push', 'ann')
    expect(check('push', 'ann')?.allowed).toBe(false)
    expect(check('push', 'ben')?.allowed).toBe(true)
    expect(check('pull', 'ann')?.remaining).toBe(requestsPerMinute.pull - 1)
    expect(check('push', 'ben')?.remaining).toBe(0)
  })

  // Six idle browsers of one user at two seconds got 429 with 120 pulls.
  it('holds ten devices that poll every two seconds, with the pulls that follow what they get', () => {
    const { record, check, advance } = makeLimiter()
    for (let poll = 0; poll < 60; poll++) {
      for (let device = 0; device < 10; device++) {
        expect(check('pull', 'ann')?.allowed).toBe(true)
        record('pull', 'ann')
        // Every other poll finds something: one more pull.
        if (poll % 2 === 0) record('pull', 'ann')
      }
      advance(2_000)
    }
  })

  // Measured with ten stores of our own client on live streams: 480 pushes and 1,952 pulls a minute. Seen red: 400 and 900.
  it('holds a user who types without a break while nine other devices of theirs listen', () => {
    const { record, check, advance } = makeLimiter()
    for (let key = 0; key < 8 * 60; key++) {
      expect([key, check('push', 'ann')?.allowed]).toEqual([key, true])
      record('push', 'ann')
      // Four changes in ten are pulled together with the one before.
      for (let device = 0; device < 10; device++) {
        if (key % 5 >= 2) continue
        expect([key, check('pull', 'ann')?.allowed]).toEqual([key, true])
        record('pull', 'ann')
      }
      advance(125)
    }
  })

  // Seen red with each counted once: 3.2 GB a minute.
  it('counts a request once more for each mebibyte, and takes one back', () => {
    const { record, check } = makeLimiter({ push: 20 })
    record('push', 'ann').weigh(12.5)
    expect(check('push', 'ann')?.remaining).toBe(6)
    const last = record('push', 'ann')
    last.refund()
    expect(check('push', 'ann')?.remaining).toBe(6)
    record('push', 'ann').weigh(1_000_000)
    expect(check('push', 'ann')).toMatchObject({ allowed: false, retryAfterMs: 60_000 })
  })

  it('remembers a bounded number of users', () => {
    const { record, check, sizeOf, advance } = makeLimiter()
    for (let index = 0; index < 12_000; index++) record('push', `user-${index}`)
    expect(sizeOf()).toBe(10_000)
    expect(check('push', 'user-11999')?.remaining).toBe(requestsPerMinute.push - 2)
    advance(60_000)
    check('push', 'user-11999')
    expect(sizeOf()).toBe(9_999)
  })

  it('says in its error when to come back', () => {
    expect(createRateLimitError(7))
      .toMatchObject({ message: 'Rate limit exceeded. Retry after 7s', code: 'RATE_LIMITED', retryable: true })
  })
})

describe('the settings', () => {
  it('have the limits of the protocol by default', () => {
    expect(readSyncSettings()).toMatchObject({
      maxBodyBytes: 16 * 1024 * 1024, maxOpsPerPush: 1_000,
      trustedProxies: 0,
      rateLimits: { 'push': 600, 'pull': 2_400, 'snapshot': 600, 'update-cursor': 400, 'gc': 10, 'workspaces': 120, 'session': 600 },
      maxBytesInFlight: 96 * 2 ** 20, maxUserBytesInFlight: 40 * 2 ** 20, maxRequestsPerSocket: 8, maxWorkspaceBytes: 2 ** 31,
    })
  })

  it('take numbers and what the environment makes of them', () => {
    configureSync({ maxBodyBytes: '1000', maxOpsPerPush: 5, rateLimits: { push: '7', pull: false, gc: 0, snapshot: true, ['update-cursor']: 'false' } })
    expect(readSyncSettings()).toMatchObject({ maxBodyBytes: 1000, maxOpsPerPush: 5, rateLimits: { 'push': 7, 'pull': null, 'gc': null, 'snapshot': 600, 'update-cursor': null, 'workspaces': 120, 'session': 600 }, trustedProxies: 0 })
    configureSync({ trustedProxies: '2' })
    expect(readSyncSettings().trustedProxies).toBe(2)
    for (const off of [false, 'false', '0']) {
      configureSync({ rateLimits: off })
      expect(new Set(Object.values(readSyncSettings().rateLimits))).toEqual(new Set([null]))
    }
    configureSync({ maxBodyBytes: '', maxOpsPerPush: '', rateLimits: '' })
    expect(readSyncSettings()).toMatchObject({ maxBodyBytes: 16 * 1024 * 1024, rateLimits: { push: 600 } })
  })

  it('name what cannot be used', () => {
    expect(() => configureSync({ maxBodyBytes: 'lots' })).toThrow(/maxBodyBytes is "lots"/)
    // Seen red where true was taken for 1.
    expect(() => configureSync({ maxBodyBytes: true as never })).toThrow(/or3Sqlite\.limits\.maxBodyBytes is true: set it to a whole number from 1/)
    expect(() => configureSync({ maxOpsPerPush: 0 })).toThrow(/maxOpsPerPush is 0/)
    expect(() => configureSync({ rateLimits: { push: -1 } })).toThrow(/rateLimits\.push is -1/)
    expect(() => configureSync({ rateLimits: 'no' })).toThrow(/or3Sqlite\.limits\.rateLimits is "no": set it to true or false/)
    expect(() => configureSync({ trustedProxies: 'all' })).toThrow(/trustedProxies is "all"/)
    expect(() => configureSync({ trustedProxies: 11 })).toThrow(/trustedProxies is 11/)
    expect(() => configureSync({ rateLimits: { poll: 1 } as object })).toThrow(/rateLimits\.poll/)
  })
})
