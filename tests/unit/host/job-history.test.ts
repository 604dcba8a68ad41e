/**
 * The way of a job's result into the synced history. Seen red: a lease that outlives its job, another's lease, `from`
 * and the phase of the pending page not looked at, a pending result cleaned up, a job that may be claimed before its
 * admission.
 */
import { expect, it } from 'vitest'
import { createBackgroundJobProvider } from '../../../server/host/jobs/provider.ts'
import type { CreateJobParams, TerminalSnapshot } from '../../../server/host/jobs/types.ts'
import { openTestDatabase } from '../../helpers/database.ts'

const about = { userId: 'ada', threadId: 't1', messageId: 'm1', model: 'some/model', generationId: 'g1' }
const execution = { version: 1 as const, workspaceId: 'w1' }

async function setUp() {
  const database = await openTestDatabase()
  const clock = { ms: 1_760_000_000_000 }
  const jobs = createBackgroundJobProvider(async () => database, {
    limits: { completedJobRetentionMs: 1_000, jobTimeoutMs: 9e9 }, now: () => clock.ms,
  })
  const create = (more: Partial<CreateJobParams> = {}) => jobs.createJob({ ...about, ...more })
  const ending: TerminalSnapshot = {
    status: 'complete', content: 'all \ud83c', reasoning: 'why', completedAt: clock.ms + 7,
  }
  return { jobs, create, clock, ending }
}

it('ends a job with its snapshot, its history pending, in one, and only once', async () => {
  const { jobs, create, ending } = await setUp()
  const id = await create({ tool_calls: [{ name: 'search' }], historyPhase: 'ready' })
  const { signal } = jobs.getAbortController(id)!
  await jobs.updateJob(id, { contentChunk: 'part', usage: { tokens: 1 } })
  expect(await jobs.saveTerminalSnapshot(id, { ...ending, usage: { tokens: 2 } })).toBe(true)
  const ended = {
    status: 'complete', content: 'all \ud83c', reasoning: 'why', completedAt: ending.completedAt, usage: { tokens: 2 },
    tool_calls: [{ name: 'search' }],
    historyPhase: 'finalization_pending', error: undefined, generationId: 'g1',
  }
  expect(await jobs.getJob(id, 'ada')).toMatchObject(ended)
  expect([
    await jobs.saveTerminalSnapshot(id, { ...ending, content: 'late' }),
    await jobs.saveTerminalSnapshot('none', ending),
  ]).toEqual([false, false])
  await jobs.updateJob(id, { contentChunk: 'late' })
  expect(await jobs.getJob(id, 'ada')).toMatchObject(ended)
  expect([jobs.getAbortController(id), signal.aborted]).toEqual([undefined, false])

  const failed = await create()
  await jobs.saveTerminalSnapshot(failed, { ...ending, status: 'error', error: 'no', toolCalls: [] })
  expect(await jobs.getJob(failed, 'ada')).toMatchObject({ status: 'error', error: 'no', tool_calls: [] })
})

it('takes no snapshot of a worker whose lease another has', async () => {
  const { jobs, create, clock, ending } = await setUp()
  const id = await create({ execution })
  await jobs.claimJob(id, 'w1', clock.ms, clock.ms + 1)
  await jobs.claimJob(id, 'w2', clock.ms + 1, clock.ms + 2)
  expect(await jobs.saveTerminalSnapshot(id, { ...ending, content: 'old' }, 'w1')).toBe(false)
  expect(await jobs.getJob(id, 'ada')).toMatchObject({ status: 'streaming' })
  expect(await jobs.saveTerminalSnapshot(id, ending, 'w2')).toBe(true)
  const { leaseOwner, leaseExpiresAt } = (await jobs.getJob(id, 'ada'))!
  expect([leaseOwner, leaseExpiresAt], 'the lease ends with the job').toEqual([undefined, undefined])
})

it('moves the phase only from where it is expected, and lets a worker claim what is ready', async () => {
  const { jobs, create, clock } = await setUp()
  const id = await create({ execution, historyPhase: 'admission_pending' })
  const claim = () => jobs.claimNextJob('w', clock.ms, clock.ms + 1)
  expect(await claim()).toBeNull()
  expect(await jobs.setHistoryPhase(id, 'committed', { from: ['finalization_pending', 'ready'] })).toBe(false)
  expect(await jobs.setHistoryPhase(id, 'ready', { from: ['blocked', 'admission_pending'] })).toBe(true)
  expect(await jobs.setHistoryPhase(id, 'ready', { from: [] })).toBe(false)
  expect(await claim()).toMatchObject({ id, historyPhase: 'ready' })
  expect([
    await jobs.setHistoryPhase(id, 'blocked'), await jobs.setHistoryPhase('none', 'ready'),
  ]).toEqual([true, false])
  expect(await jobs.getJob(id, 'ada')).toMatchObject({ historyPhase: 'blocked' })
  clock.ms += 2
  expect(await claim()).toBeNull()
  expect((await jobs.getJob(await create(), 'ada'))!.historyPhase).toBeUndefined()
})

it('names the jobs whose history is pending, the oldest first, and keeps them when others are cleaned up', async () => {
  const { jobs, create, clock, ending } = await setUp()
  const made: string[] = []
  for (const historyPhase of ['admission_pending', 'ready', undefined, 'ready'] as const) {
    clock.ms += 1
    made.push(await create({ historyPhase }))
  }
  await jobs.saveTerminalSnapshot(made[3]!, ending)
  await jobs.failJob(made[0]!, 'no')
  await jobs.completeJob(made[2]!, 'no history')
  const pending = async (limit: number) => (await jobs.getPendingHistoryJobs(limit)).map(({ id }) => id)
  expect([await pending(9), await pending(1), await pending(0)]).toEqual([[made[0], made[3]], [made[0]], [made[0]]])
  expect((await jobs.getPendingHistoryJobs(9))[1]).toMatchObject({
    content: ending.content, historyPhase: 'finalization_pending',
  })

  clock.ms += 60_000
  expect(await jobs.cleanupExpired()).toBe(1)
  expect(await pending(9)).toHaveLength(2)
  await jobs.setHistoryPhase(made[3]!, 'committed', { from: ['finalization_pending'] })
  expect(await jobs.cleanupExpired()).toBe(1)
  clock.ms += 7 * 86_400_000
  expect(await jobs.cleanupExpired(), 'not for ever').toBe(1)
  expect(await pending(9)).toEqual([])
})
