import fc from 'fast-check'
import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { createRateLimitProvider, type RateLimitProviderOptions } from '../../../server/host/rate-limit/provider.ts'
import { openTestDatabase } from '../../helpers/database.ts'

const minute = { windowMs: 60_000, maxRequests: 3 }

async function setUp(options: RateLimitProviderOptions = {}) {
  const database = await openTestDatabase()
  const clock = { ms: 1_760_000_000_000 }
  const provider = createRateLimitProvider(async () => database, { now: () => clock.ms, ...options })
  const countKeys = async () => (await database.read.all<{ n: number }>(sql`select count(*) as n from rate_limits`))[0]!.n
  return { database, clock, provider, countKeys }
}

it('allows as many as the limit in any window and says when there is room again', async () => {
  const { provider, clock } = await setUp()
  const answers = []
  for (const at of [0, 10_000, 20_000, 30_000]) {
    clock.ms = 1_760_000_000_000 + at
    answers.push(await provider.checkAndRecord('user:1', minute))
  }
  expect(answers).toEqual([
    { allowed: true, remaining: 2 }, { allowed: true, remaining: 1 }, { allowed: true, remaining: 0 },
    { allowed: false, remaining: 0, retryAfterMs: expect.closeTo(30_000, -2) },
  ])
  expect(await provider.getStats('user:1', minute)).toMatchObject({ limit: 3, remaining: 0, resetMs: answers[3]!.retryAfterMs })
  clock.ms += answers[3]!.retryAfterMs!
  expect(await provider.checkAndRecord('user:1', minute)).toEqual({ allowed: true, remaining: 0 })
  expect((await provider.checkAndRecord('user:1', minute)).allowed).toBe(false)
  expect((await provider.checkAndRecord('user:2', minute)).allowed).toBe(true)
  expect(await provider.getStats('user:3', minute)).toBeNull()
})

it('counts exactly when many ask at once, and still knows after a restart', async () => {
  const { database, clock, provider } = await setUp()
  const answers = await Promise.all(Array.from({ length: 50 }, () => provider.checkAndRecord('k', { windowMs: 1_000, maxRequests: 20 })))
  expect(answers.filter(answer => answer.allowed)).toHaveLength(20)
  await database.close()
  const again = await openTestDatabase({ path: database.path })
  const restarted = createRateLimitProvider(async () => again, { now: () => clock.ms })
  expect((await restarted.checkAndRecord('k', { windowMs: 1_000, maxRequests: 20 })).allowed).toBe(false)
})

it('never lets more than the limit into a window, nor holds anybody up for a thousandth longer', async () => {
  const { clock, provider } = await setUp()
  let run = 0
  await fc.assert(fc.asyncProperty(
    fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 5_000 }), fc.array(fc.integer({ min: 0, max: 1_500 }), { maxLength: 40 }),
    async (maxRequests, windowMs, gaps) => {
      const key = `run:${run++}`
      const passed: number[] = []
      for (const gap of gaps) {
        clock.ms += gap
        const { allowed } = await provider.checkAndRecord(key, { windowMs, maxRequests })
        const exact = passed.filter(at => at > clock.ms - windowMs).length
        if (allowed) expect(exact).toBeLessThan(maxRequests)
        else expect(passed.filter(at => at > clock.ms - windowMs - Math.ceil(windowMs / 1_000)).length).toBeGreaterThanOrEqual(maxRequests)
        if (allowed) passed.push(clock.ms)
      }
    },
  ), { numRuns: 60 })
})

// Seen red with moments rounded up to a thousandth of the window: 10,005 ms.
it('says to the millisecond when a limit resets', async () => {
  const { clock, provider } = await setUp()
  const config = { windowMs: 10_000, maxRequests: 5 }
  clock.ms += 5
  await provider.checkAndRecord('k', config)
  expect(await provider.getStats('k', config)).toMatchObject({ resetMs: 10_000 })
  clock.ms += 1_234
  expect(await provider.getStats('k', config)).toMatchObject({ resetMs: 8_766 })
})

it('lets several requests of one thousandth of the window go together, the last of them counting', async () => {
  const { clock, provider } = await setUp()
  const start = clock.ms
  const at = (ms: number) => {
    clock.ms = start + ms
    return provider.checkAndRecord('k', { windowMs: 10_000, maxRequests: 2 })
  }
  expect([(await at(5)).allowed, (await at(9)).allowed, (await at(10_008)).allowed, (await at(10_009)).allowed])
    .toEqual([true, true, false, true])
})

it('keeps a key\'s state small whatever its limit', async () => {
  const { database, clock, provider } = await setUp()
  for (let index = 0; index < 3_000; index++) {
    clock.ms += 7
    await provider.checkAndRecord('k', { windowMs: 10_000, maxRequests: 1_000_000 })
  }
  const [row] = await database.read.all<{ size: number }>(sql`select length(moments_ms) as size from rate_limits`)
  expect(row!.size).toBeLessThan(25_000)
})

it('forgets ended keys, and under a flood those that end first', async () => {
  const { clock, provider, countKeys } = await setUp({ maxKeys: 500 })
  for (let index = 0; index < 300; index++) await provider.checkAndRecord(`a${index}`, minute)
  clock.ms += 60_100
  for (let index = 0; index < 40; index++) await provider.checkAndRecord(`b${index}`, minute)
  expect(await countKeys()).toBe(40)
  for (let index = 0; index < 1_700; index++) {
    clock.ms += 1
    await provider.checkAndRecord(`c${index}`, minute)
  }
  expect(await countKeys()).toBeLessThanOrEqual(1_500)
  expect(await provider.getStats('c1699', minute)).not.toBeNull()
  expect(await provider.getStats('c0', minute)).toBeNull()
})

it('survives a clock that is set back, odd keys and a limit of none', async () => {
  const { clock, provider } = await setUp()
  await provider.checkAndRecord('k', { windowMs: 1_000, maxRequests: 1 })
  clock.ms -= 86_400_000
  expect((await provider.checkAndRecord('k', { windowMs: 1_000, maxRequests: 1 })).allowed).toBe(true)
  expect(await provider.checkAndRecord('none', { windowMs: 1_000, maxRequests: 0 })).toEqual({ allowed: false, remaining: 0, retryAfterMs: 1_000 })
  for (const key of ['a\0b', 'a\0c', '\ud800', 'x'.repeat(100_000)]) {
    expect((await provider.checkAndRecord(key, { windowMs: 1_000, maxRequests: 1 })).allowed).toBe(true)
    expect((await provider.checkAndRecord(key, { windowMs: 1_000, maxRequests: 1 })).allowed).toBe(false)
  }
})
