/** What the live connection does when: with a transport of a few lines and a clock that the test holds. Promise P11. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createLive, type LiveOptions } from '../../../client/live/live.ts'
import type { PageHandlers } from '../../../client/live/page.ts'
import { type Transport, TransportError } from '../../../client/index.ts'
import type { LiveEvent } from '../../../shared/live.ts'

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }))
afterEach(() => void vi.useRealTimers())

/** One stream that the client has asked for; nothing comes unless the test sends it. */
interface Asked { at: number, send(event: LiveEvent): void, beat(): void, end(): void, isAborted(): boolean }

function setUp({ refuse, pull, head = () => 0 }: {
  refuse?: () => TransportError | undefined, pull?: Transport['pull'], head?: () => number
} = {}) {
  const asked: Asked[] = []
  const shown: string[] = []
  const hints: number[] = []
  const counts = { pulls: 0, slow: false }
  let handlers: PageHandlers | undefined
  const page = { isHidden: false, watch: (given: PageHandlers) => ((handlers = given), () => {}) }
  const unused = () => Promise.reject(new Error('not used'))
  const transport: Transport = {
    push: unused, snapshot: unused, updateCursor: unused,
    pull: pull ?? unused,
    openLive(_workspaceId, _client, signal) {
      const refusal = refuse?.()
      let controller: ReadableStreamDefaultController<Uint8Array>
      const bytes = new ReadableStream<Uint8Array>({ start: given => void (controller = given) })
      const write = (text: string) => controller.enqueue(new TextEncoder().encode(text))
      let isOver = false
      signal.addEventListener('abort', () => {
        if (!isOver) controller.error(new Error('aborted'))
        isOver = true
      })
      asked.push({
        at: Date.now(),
        send: ({ type, data }) => write(`event: ${type}\ndata: ${JSON.stringify(data)}\n\n`),
        beat: () => write(':\n\n'),
        end() {
          isOver = true
          controller.close()
        },
        isAborted: () => signal.aborted,
      })
      return refusal ? Promise.reject(refusal) : Promise.resolve(bytes)
    },
  }
  const options: LiveOptions = {
    workspaceId: 'w1', transport, page, random: () => 0.5, head,
    hint: value => void hints.push(value),
    requestPull: () => void counts.pulls++,
    setSlow: value => void (counts.slow = value),
    show: ({ mode, reason }) => void shown.push(`${mode}: ${reason}`),
  }
  const live = createLive(options)
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)
  const hello = async (value: number) => {
    asked.at(-1)!.send({ type: 'hello', data: { head: value, seconds: 600 } })
    await pass(0)
  }
  const beatFor = async (ms: number) => {
    for (let left = ms; left > 0; left -= 10_000) {
      asked.at(-1)!.beat()
      await pass(Math.min(10_000, left))
    }
  }
  return { live, asked, shown, hints, counts, page, pass, hello, beatFor, page_: () => handlers! }
}

it('tells of each newer head once, and of an older log by a pull', async () => {
  const { live, asked, hints, hello, pass, counts, shown } = setUp({ head: () => 5 })
  live.start()
  await hello(7)
  for (const head of [7, 8, 8, 6, 9]) asked[0]!.send({ type: 'head', data: { head } })
  await pass(0)
  expect(hints).toEqual([7, 8, 9])
  expect(counts).toEqual({ pulls: 0, slow: true })
  expect(shown).toEqual(['polling: connecting', 'stream: connected'])
  asked[0]!.end()
  await pass(5_000)
  await hello(3)
  expect(counts.pulls).toBe(1)
})

it('paces what a long stream of hints starts, and hands the newest over', async () => {
  const { live, asked, hints, hello, pass } = setUp()
  live.start()
  await hello(1)
  for (let head = 2; head <= 101; head++) {
    asked[0]!.send({ type: 'head', data: { head } })
    await pass(50)
  }
  // Twenty at once, then two a second of the five.
  expect(hints.length).toBeGreaterThan(25)
  expect(hints.length).toBeLessThan(35)
  await pass(1_000)
  expect(hints.at(-1)).toBe(101)
})

it('takes healthy streams that end soon for no reason to give streams up', async () => {
  const { live, asked, hello, pass, shown } = setUp()
  live.start()
  for (let count = 0; count < 20; count++) {
    await hello(count)
    asked.at(-1)!.end()
    await pass(5_000)
  }
  expect(asked).toHaveLength(21)
  expect(shown.filter(line => line.startsWith('long-poll'))).toEqual([])
})

it('comes back at once where the stream\'s time is up, and at a moment of its own where it was lost', async () => {
  const { live, asked, hello, pass, counts } = setUp()
  live.start()
  await hello(1)
  await pass(10_000)
  asked[0]!.send({ type: 'end', data: { reason: 'reopen' } })
  asked[0]!.end()
  await pass(0)
  expect(asked).toHaveLength(2)
  await hello(1)
  asked[1]!.send({ type: 'end', data: { reason: 'restart' } })
  asked[1]!.end()
  await pass(0)
  expect(counts.slow).toBe(false)
  await pass(4_700)
  expect(asked).toHaveLength(2)
  await pass(200)
  expect(asked).toHaveLength(3)
})

it('notices a half-open connection within thirty seconds', async () => {
  const { live, asked, hello, beatFor, pass } = setUp()
  live.start()
  await hello(1)
  await beatFor(60_000)
  expect(asked).toHaveLength(1)
  await pass(16_000)
  expect(asked[0]!.isAborted()).toBe(true)
  await pass(5_000)
  expect(asked).toHaveLength(2)
})

it('falls back within three seconds without a hello, and tries a stream again later and later', async () => {
  const waits: number[] = []
  const { live, asked, shown, pass, hints, hello, counts } = setUp({
    async pull({ cursor, waitMs }) {
      waits.push(waitMs!)
      await new Promise(resolve => setTimeout(resolve, 20_000))
      return { changes: [], nextCursor: cursor + 1, hasMore: false, oldestRetainedVersion: 1, requiresSnapshot: false }
    },
  })
  live.start()
  await pass(3_000)
  expect(shown.at(-1)).toMatch(/^long-poll: /)
  expect(counts.slow).toBe(true)
  await pass(21_000)
  expect(hints).toEqual([1])
  await pass(60_000 * 30)
  const gaps = asked.slice(1).map(({ at }, index) => Math.round((at - asked[index]!.at) / 1_000))
  expect(gaps.slice(0, 4)).toEqual([63, 123, 243, 483])
  expect(new Set(waits)).toEqual(new Set([25_000]))
  for (const before = asked.length; asked.length === before;) await pass(1_000)
  await hello(200)
  expect(shown.at(-1)).toBe('stream: connected')
  const pulled = waits.length
  await pass(22_000)
  expect(waits.length).toBe(pulled)
})

it('polls where the server does not wait either', async () => {
  const { live, shown, pass, counts } = setUp({
    pull: async ({ cursor }) => (
      { changes: [], nextCursor: cursor, hasMore: false, oldestRetainedVersion: 1, requiresSnapshot: false }
    ),
  })
  live.start()
  await pass(3_100)
  expect(shown.at(-1)).toBe('polling: neither a stream nor a waiting pull comes through')
  expect(counts.slow).toBe(false)
})

it.each([
  [404, 'the server has no live stream', 900_000],
  [501, 'the server has no live stream', 900_000],
  [429, 'this user has too many live streams', 30_000],
  [503, 'the server does not answer', 8_500],
  [0, 'the server does not answer', 8_500],
] as const)('polls where a stream is refused with %s, and tries again', async (status, reason, ms) => {
  const refusal = new TransportError(status, 'No.', status === 429 ? { retryAfterSeconds: 30 } : {})
  const { live, asked, shown, pass } = setUp({ refuse: () => refusal })
  live.start()
  await pass(ms - 100)
  expect(shown.at(-1)).toBe(`polling: ${reason}`)
  expect(asked).toHaveLength(1)
  await pass(ms)
  expect(asked.length).toBeGreaterThan(1)
})

it.each([401, 403])('pulls where a stream is refused with %s, and does not ask for it again and again', async (status) => {
  const { live, asked, counts, pass } = setUp({ refuse: () => new TransportError(status, 'No.') })
  live.start()
  await pass(600_000)
  expect(asked).toHaveLength(1)
  expect(counts.pulls).toBe(1)
})

it('comes back where a session of the user has ended, once the answer of a sign-out is there', async () => {
  const { live, asked, hello, pass } = setUp()
  live.start()
  await hello(1)
  asked[0]!.send({ type: 'end', data: { reason: 'session' } })
  asked[0]!.end()
  await pass(900)
  expect(asked).toHaveLength(1)
  await pass(700)
  expect(asked).toHaveLength(2)
})

it('lets go when no tab has been in view for five minutes, and catches up when one is', async () => {
  const { live, asked, hello, beatFor, pass, page, page_, shown, counts } = setUp()
  live.start()
  await hello(1)
  page.isHidden = true
  page_().onHide()
  await beatFor(240_000)
  live.see()
  await beatFor(290_000)
  expect(asked[0]!.isAborted()).toBe(false)
  await pass(10_000)
  expect(asked[0]!.isAborted()).toBe(true)
  expect(shown.at(-1)).toBe('polling: no tab is in view')
  await pass(3_600_000)
  expect(asked).toHaveLength(1)
  page.isHidden = false
  page_().onShow()
  await pass(0)
  expect([asked.length, counts.pulls]).toEqual([2, 1])
})

it('keeps a stream that was heard of when its page comes into view, and replaces one that was not', async () => {
  const { live, asked, hello, pass, page_, counts } = setUp()
  live.start()
  await hello(1)
  await pass(5_000)
  page_().onShow()
  expect([asked.length, counts.pulls]).toEqual([1, 0])
  await pass(10_000)
  page_().onShow()
  expect([asked.length, counts.pulls]).toEqual([2, 1])
  expect(asked[0]!.isAborted()).toBe(true)
  await hello(1)
  page_().onOnline()
  expect([asked.length, counts.pulls]).toEqual([3, 2])
})
