/** One budget for bodies and answers: who waits, who is refused, and what is given back. */
import { expect, it } from 'vitest'
import { createByteBudget } from '../../../server/http/byte-budget.ts'

const limits = { maxBytesInFlight: 100, maxUserBytesInFlight: 60 }
const makeBudget = (waitMs = 20) => createByteBudget({ readLimits: () => limits, waitMs })

// Seen red with no limit of a user: ann held everything.
it('is of a user first, and of all', async () => {
  const budget = makeBudget()
  await budget.take('ann', 60)
  await expect(budget.take('ann', 1)).rejects.toMatchObject({ code: 'RATE_LIMITED', message: expect.stringMatching(/Retry after 1s$/) })
  await budget.take('ben', 40)
  await expect(budget.take('cid', 1)).rejects.toMatchObject({ code: 'SERVER_BUSY' })
  expect(budget.held).toBe(100)
})

it('lets a request wait for what another gives back', async () => {
  const budget = makeBudget(5_000)
  const first = await budget.take('ann', 50)
  const waiting = budget.take('ann', 20)
  first.resize(30)
  const second = await waiting
  expect(budget.held).toBe(50)
  first.release()
  first.release()
  first.resize(10)
  second.release()
  expect(budget.held).toBe(0)
})

it('lets in alone what is larger than the whole', async () => {
  const budget = makeBudget()
  const lease = await budget.take('ann', 500)
  await expect(budget.take('ben', 1)).rejects.toMatchObject({ code: 'SERVER_BUSY' })
  lease.release()
  await budget.take('ben', 1)
})
