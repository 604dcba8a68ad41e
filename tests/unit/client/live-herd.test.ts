/**
 * A thousand devices whose server restarts: each at a moment of its own, on a clock that the test holds, so that no busy
 * machine makes a herd of them. Promise P11; `tests/faults/live.ts` does it with a real server.
 */
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { type Transport, TransportError } from '../../../client/index.ts'
import { createLive } from '../../../client/live/live.ts'
import { createChance } from '../../helpers/chance.ts'

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }))
afterEach(() => void vi.useRealTimers())

const devices = 1_000

/** The server is away for `awayMs` and says so at first where `isTold`: the most tries in a second once it is there. */
async function restart(awayMs: number, isTold: boolean) {
  const roll = createChance(3)
  const random = () => roll(1_000_000) / 1_000_000
  const endings: (() => void)[] = []
  const askedAt: number[] = []
  let isAway = false
  let connected = 0
  const unused = () => Promise.reject(new Error('not used'))
  const transport: Transport = {
    push: unused, snapshot: unused, updateCursor: unused, pull: unused,
    async openLive() {
      askedAt.push(Date.now())
      if (isAway) throw new TransportError(0, 'The server does not answer.')
      let controller: ReadableStreamDefaultController<Uint8Array>
      const send = (text: string) => controller.enqueue(new TextEncoder().encode(text))
      const bytes = new ReadableStream<Uint8Array>({ start: given => void (controller = given) })
      send('event: hello\ndata: {"head":1,"seconds":600}\n\n')
      endings.push(() => {
        if (isTold) send('event: end\ndata: {"reason":"restart"}\n\n')
        controller.close()
      })
      return bytes
    },
  }
  const page = { isHidden: false, watch: () => () => {} }
  const all = Array.from({ length: devices }, () => createLive({
    workspaceId: 'w1', transport, page, random,
    head: () => 0, hint() {}, requestPull() {}, setSlow() {},
    show: ({ mode }) => void (mode === 'stream' && connected++),
  }))
  all.forEach(device => device.start())
  await vi.advanceTimersByTimeAsync(0)
  expect(connected).toBe(devices)
  connected = 0
  isAway = true
  endings.splice(0).forEach(end => end())
  await vi.advanceTimersByTimeAsync(awayMs)
  isAway = false
  const upAt = Date.now()
  while (connected < devices && Date.now() - upAt < 120_000) {
    await vi.advanceTimersByTimeAsync(10)
  }
  const allBackMs = Date.now() - upAt
  all.forEach(device => device.stop())
  return { allBackMs, mostPerSecond: countMost(askedAt.filter(at => at >= upAt)) }
}

/** Of these moments, how many lie in one second at most. */
function countMost(moments: number[]): number {
  let [most, from] = [0, 0]
  moments.forEach((moment, index) => {
    while (moments[from]! <= moment - 1_000) from++
    most = Math.max(most, index - from + 1)
  })
  return most
}

// Seen red with half the spread.
it.each([
  [300, true], [600, true], [2_000, true], [7_000, false], [15_000, true],
])('a server that was away for %s ms has all of them back within ten seconds, and never a herd', async (awayMs, isTold) => {
  const { allBackMs, mostPerSecond } = await restart(awayMs, isTold)
  expect(allBackMs).toBeLessThan(10_000)
  expect(mostPerSecond).toBeLessThanOrEqual(140)
})

it('comes in no herd after an outage of minutes either', async () => {
  const { allBackMs, mostPerSecond } = await restart(240_000, false)
  expect(allBackMs).toBeLessThan(70_000)
  expect(mostPerSecond).toBeLessThanOrEqual(140)
})
