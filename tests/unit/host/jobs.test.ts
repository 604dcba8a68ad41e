import { expect, it, onTestFinished, vi } from 'vitest'
import { type BackgroundJobOptions, createBackgroundJobProvider } from '../../../server/host/jobs/provider.ts'
import type { CreateJobParams } from '../../../server/host/jobs/types.ts'
import { openTestDatabase } from '../../helpers/database.ts'

const about = { userId: 'ada', threadId: 't1', messageId: 'm1', model: 'some/model' }
const execution = { version: 1 as const, workspaceId: 'w1', body: { messages: [] }, contentBase: 'kept ', reasoningBase: 'why ' }

async function setUp({ limits }: Pick<BackgroundJobOptions, 'limits'> = {}) {
  const database = await openTestDatabase()
  const clock = { ms: 1_760_000_000_000 }
  const jobs = createBackgroundJobProvider(async () => database, { limits, now: () => clock.ms })
  const create = (more: Partial<CreateJobParams> = {}) => jobs.createJob({ ...about, ...more })
  return { database, clock, jobs, create }
}

it('keeps a job from its first chunk to its end, for its user alone', async () => {
  const { jobs, create, clock } = await setUp()
  const id = await create({ initialContent: 'Hello', tool_calls: [{ name: 'search', status: 'pending' }] })
  await jobs.updateJob(id, { contentChunk: ', wor', chunksReceived: 1 })
  clock.ms += 5
  await jobs.updateJob(id, { contentChunk: 'ld', reasoningChunk: 'because', workflow_state: { step: 2 } })
  expect(await jobs.getJob(id, 'ada')).toEqual({
    id, ...about, kind: 'chat', status: 'streaming', content: 'Hello, world', reasoning: 'because', chunksReceived: 1,
    tool_calls: [{ name: 'search', status: 'pending' }], workflow_state: { step: 2 },
    startedAt: 1_760_000_000_000, lastActivityAt: 1_760_000_000_005, attempts: 0,
  })
  expect(await jobs.getJob(id, 'bob')).toBeNull()
  expect(await jobs.getJob(id, '*')).not.toBeNull()
  await jobs.completeJob(id, 'Hello, world.')
  await jobs.updateJob(id, { contentChunk: 'late' })
  await jobs.failJob(id, 'late')
  expect(await jobs.getJob(id, 'ada')).toMatchObject({ status: 'complete', content: 'Hello, world.', completedAt: clock.ms, error: undefined })
  expect(await jobs.abortJob(id, 'ada')).toBe(false)
})

it('reads text back as it was streamed, cut in any place', async () => {
  const { jobs, create } = await setUp()
  const id = await create()
  const text = 'a\0b "quoted" \\ \ud83d\ude00 \u2028 \ud800'
  for (const unit of text.split('')) await jobs.updateJob(id, { contentChunk: unit, reasoningChunk: unit })
  expect(await jobs.getJob(id, 'ada')).toMatchObject({ content: text, reasoning: text })
  await jobs.failJob(id, text)
  expect(await jobs.getJob(id, 'ada')).toMatchObject({ status: 'error', error: text })
})

it('aborts a running job once, tells its worker at once, and asks whose it is', async () => {
  const { jobs, create } = await setUp()
  const id = await create()
  const { signal } = jobs.getAbortController(id)!
  expect(await jobs.abortJob(id, 'bob')).toBe(false)
  expect(signal.aborted).toBe(false)
  expect(await Promise.all([jobs.abortJob(id, 'ada'), jobs.abortJob(id, '*')])).toEqual([true, false])
  expect([signal.aborted, await jobs.checkJobAborted(id), jobs.getAbortController(id)]).toEqual([true, true, undefined])
  expect(await jobs.checkJobAborted('none')).toBe(false)
})

it('makes one job of an admission, however often it comes at once', async () => {
  const { jobs, create } = await setUp()
  const ids = await Promise.all(Array.from({ length: 20 }, () => create({ idempotencyKey: 'a1' })))
  expect(new Set(ids).size).toBe(1)
  expect(await create({ idempotencyKey: 'a1', userId: 'bob' })).not.toBe(ids[0])
  expect((await jobs.findJobByIdempotencyKey('a1', 'ada'))?.id).toBe(ids[0])
  expect(await jobs.findJobByIdempotencyKey('a1', 'cleo')).toBeNull()
  expect(await jobs.getActiveJobCount()).toBe(2)
})

it('calls an admission off, before its job is made or after', async () => {
  const { jobs, create, clock } = await setUp()
  expect(await jobs.cancelAdmission('ada', 'early')).toEqual({ aborted: false, pending: true })
  await expect(create({ idempotencyKey: 'early' })).rejects.toMatchObject({ name: 'AdmissionCancelledError' })
  await create({ idempotencyKey: 'early', userId: 'bob' })
  clock.ms += 600_001
  expect(await create({ idempotencyKey: 'early' })).toBeTypeOf('string')

  const jobId = await create({ idempotencyKey: 'late' })
  const { signal } = jobs.getAbortController(jobId)!
  expect(await jobs.cancelAdmission('ada', 'late')).toEqual({ aborted: true, jobId, pending: false })
  expect(signal.aborted).toBe(true)
  expect(await jobs.cancelAdmission('ada', 'late')).toEqual({ aborted: false, jobId, pending: false })
})

it('holds the limits, of all and of one user, also when many start at once', async () => {
  const { create } = await setUp({ limits: { maxConcurrentJobs: 5, maxConcurrentJobsPerUser: 3 } })
  const starts = (userId: string) => Promise.allSettled(Array.from({ length: 10 }, () => create({ userId })))
  const [ada, bob] = [await starts('ada'), await starts('bob')]
  const started = (results: typeof ada) => results.filter(result => result.status === 'fulfilled').length
  expect([started(ada), started(bob)]).toEqual([3, 2])
  expect(bob.at(-1)).toMatchObject({ reason: { code: 'RATE_LIMITED', message: expect.stringContaining('Max concurrent background jobs reached (5)') } })
})

it('ends a job without progress and forgets one that ended long ago, but no time of a stopped server counts', async () => {
  const limits = { jobTimeoutMs: 1_000, completedJobRetentionMs: 5_000 }
  const { database, jobs, create, clock } = await setUp({ limits })
  const [slow, live] = [await create(), await create()]
  const { signal } = jobs.getAbortController(slow)!
  clock.ms += 900
  await jobs.updateJob(live, { contentChunk: 'x' })
  clock.ms += 200
  expect(await jobs.cleanupExpired()).toBe(1)
  expect(await jobs.getJob(slow, 'ada')).toMatchObject({ status: 'error', error: 'Job timed out' })
  expect(signal.aborted).toBe(true)
  expect(await jobs.getJob(live, 'ada')).toMatchObject({ status: 'streaming' })

  clock.ms += 5_001
  const restarted = createBackgroundJobProvider(async () => database, { limits, now: () => clock.ms })
  expect(await restarted.cleanupExpired()).toBe(1)
  expect(await restarted.getJob(slow, 'ada')).toBeNull()
  expect(await restarted.getJob(live, 'ada')).toMatchObject({ status: 'streaming' })
  clock.ms += 1_001
  expect(await restarted.cleanupExpired()).toBe(1)
  expect(await restarted.getJob(live, 'ada')).toMatchObject({ status: 'error' })
})

// Seen red where a failed clean-up stopped the watch.
it('ends a job that hangs though a clean-up before failed, and watches no longer than a job runs', async () => {
  const database = await openTestDatabase()
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] })
  onTestFinished(() => void vi.useRealTimers())
  let isLost = false
  const jobs = createBackgroundJobProvider(() => isLost ? Promise.reject(new Error('lost')) : Promise.resolve(database), { limits: { jobTimeoutMs: 100_000 } })
  const { signal } = jobs.getAbortController(await jobs.createJob(about))!
  isLost = true
  await vi.advanceTimersByTimeAsync(60_000)
  isLost = false
  expect(signal.aborted).toBe(false)
  vi.advanceTimersByTime(60_000)
  await vi.waitFor(() => expect(signal.aborted).toBe(true))
  vi.advanceTimersByTime(60_000)
  expect(vi.getTimerCount()).toBe(0)
})

// Seen red where it got a controller, which nothing took away.
it('starts nothing for an admission whose job has ended', async () => {
  const { jobs, create } = await setUp()
  const id = await create({ idempotencyKey: 'k' })
  const controller = jobs.getAbortController(id)
  expect(await create({ idempotencyKey: 'k' })).toBe(id)
  expect(jobs.getAbortController(id)).toBe(controller)
  await jobs.completeJob(id, 'done')
  expect(await create({ idempotencyKey: 'k' })).toBe(id)
  expect(jobs.getAbortController(id)).toBeUndefined()
})

it('gives a job to one worker, which alone writes until its lease ends', async () => {
  const { jobs, create, clock } = await setUp()
  const id = await create({ execution })
  await create()
  await create({ kind: 'workflow', execution: { version: 1, kind: 'workflow', workspaceId: 'w1' } })
  const claims = await Promise.all(['w1', 'w2', 'w3'].map(worker => jobs.claimJob(id, worker, clock.ms, clock.ms + 1_000)))
  const [claimed] = claims.filter(claim => claim !== null)
  expect(claims.filter(claim => claim === null)).toHaveLength(2)
  expect(claimed).toMatchObject({ id, attempts: 1, leaseOwner: 'w1', leaseExpiresAt: clock.ms + 1_000, execution })
  expect(await jobs.claimNextJob('w9', clock.ms, clock.ms + 1_000)).toBeNull()

  await jobs.updateJob(id, { contentChunk: 'kept and lost', leaseOwner: 'w1' })
  await expect(jobs.updateJob(id, { contentChunk: 'x', leaseOwner: 'w2' })).rejects.toMatchObject({ name: 'BackgroundJobLeaseLostError' })
  await expect(jobs.completeJob(id, 'x', 'w2')).rejects.toMatchObject({ name: 'BackgroundJobLeaseLostError' })
  expect(await jobs.updateJobExecution(id, { ...execution, contentBase: 'saved ' } as typeof execution, 'w2')).toBe(false)
  expect(await jobs.updateJobExecution(id, { ...execution, contentBase: 'saved ' } as typeof execution, 'w1')).toBe(true)
  expect(await jobs.renewJobLease(id, 'w1', clock.ms, clock.ms + 2_000)).toBe(true)
  expect(await jobs.renewJobLease(id, 'w2', clock.ms, clock.ms + 9_000)).toBe(false)
  expect(await jobs.getJob(id, 'ada')).toMatchObject({ content: 'kept and lost' })

  clock.ms += 2_000
  const recovered = await jobs.claimNextJob('w2', clock.ms, clock.ms + 1_000)
  expect(recovered).toMatchObject({ id, attempts: 2, content: 'saved ', reasoning: 'why ', chunksReceived: 0 })
  expect(await jobs.renewJobLease(id, 'w1', clock.ms, clock.ms + 2_000)).toBe(false)
  await expect(jobs.updateJob(id, { contentChunk: 'x', leaseOwner: 'w1' })).rejects.toMatchObject({ name: 'BackgroundJobLeaseLostError' })
  await expect(jobs.completeJob(id, 'x', 'w1')).rejects.toMatchObject({ name: 'BackgroundJobLeaseLostError' })
  await jobs.completeJob(id, 'saved text', 'w2')
  expect(await jobs.getJob(id, 'ada')).toMatchObject({ status: 'complete', content: 'saved text' })
})

// Seen red where an expired lease refused its owner.
it('takes writes of a lease that is over for as long as nobody else has the job', async () => {
  const { jobs, create, clock } = await setUp()
  const id = await create({ execution })
  await jobs.claimJob(id, 'w1', clock.ms, clock.ms + 1_000)
  clock.ms += 60_000
  await jobs.updateJob(id, { contentChunk: 'late', leaseOwner: 'w1' })
  expect(await jobs.updateJobExecution(id, execution, 'w1')).toBe(true)
  expect(await jobs.renewJobLease(id, 'w1', clock.ms, clock.ms + 1_000)).toBe(true)
  expect(await jobs.claimNextJob('w2', clock.ms, clock.ms + 1_000), 'the renewed lease holds').toBeNull()
  clock.ms += 60_000
  await jobs.completeJob(id, 'all of it', 'w1')
  expect(await jobs.getJob(id, 'ada')).toMatchObject({ status: 'complete', content: 'all of it' })
})

// Seen red where it stayed `streaming` without a word, and the text was gone.
it.each(['complete', 'fail', 'update'])('lets a host that names no worker %s a job under a lease', async (how) => {
  const { jobs, create, clock } = await setUp()
  const id = await create({ execution })
  await jobs.claimJob(id, 'w1', clock.ms, clock.ms + 1_000)
  if (how === 'complete') await jobs.completeJob(id, 'the text')
  if (how === 'fail') await jobs.failJob(id, 'no more')
  if (how === 'update') await jobs.updateJob(id, { contentChunk: 'the text' })
  expect(await jobs.getJob(id, 'ada')).toMatchObject({
    complete: { status: 'complete', content: 'the text' }, fail: { status: 'error', error: 'no more' }, update: { status: 'streaming', content: 'the text' },
  }[how]!)
})

it('parks a job for a browser, and its result makes it a worker\'s again', async () => {
  const { jobs, create, clock } = await setUp({ limits: { maxConcurrentJobs: 1 } })
  const id = await create({ execution })
  await jobs.claimJob(id, 'w1', clock.ms, clock.ms + 1_000)
  const waiting = { ...execution, clientToolCall: { callId: 'c1', name: 'read_page' } }
  expect(await jobs.updateJobExecution(id, waiting, 'w1')).toBe(true)
  expect(await jobs.getActiveJobCount()).toBe(0)
  clock.ms += 2_000
  expect(await jobs.claimNextJob('w2', clock.ms, clock.ms + 1_000)).toBeNull()

  const claim = (callId: string, token: string, user = 'ada') => jobs.claimClientToolCall(id, user, callId, token, clock.ms + 500)
  expect([await claim('c2', 'a'), await claim('c1', 'a', 'bob')]).toEqual([null, null])
  expect(await claim('c1', 'a')).toMatchObject({ execution: { clientToolCall: { callId: 'c1', name: 'read_page', claimToken: 'a' } } })
  expect(await claim('c1', 'b')).toBeNull()
  const calls = [{ name: 'read_page', status: 'complete' }]
  const settle = (token: string) => jobs.settleClientToolCall(id, 'ada', 'c1', token, execution, calls)
  expect(await settle('b')).toBe(false)
  clock.ms += 501
  expect(await settle('a')).toBe(false)
  expect(await claim('c1', 'b')).not.toBeNull()
  expect([await settle('b'), await settle('b')]).toEqual([true, false])
  expect(await jobs.claimNextJob('w2', clock.ms, clock.ms + 1_000)).toMatchObject({ id, tool_calls: calls, attempts: 2 })
})
