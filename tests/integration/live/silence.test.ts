/**
 * Hints that do not come although the stream is open, on a clock that the test drives: real clients, routes and
 * connections, and nothing waited for. Promise P11.
 */
import { hrtime } from 'node:process'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { has, posts, serveDevices } from './devices.ts'

beforeEach(() => void vi.useFakeTimers({
  toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
}))
afterEach(() => void vi.useRealTimers())

/** Drives the clock until it is so, and gives the connections their turns; answers with the seconds on that clock. */
async function until(isSo: () => boolean, seconds = 120): Promise<number> {
  for (let passed = 0; passed < seconds; passed += 0.5) {
    if (isSo()) return passed
    await vi.advanceTimersByTimeAsync(500)
    const end = hrtime.bigint() + 10_000_000n
    while (hrtime.bigint() < end) await new Promise(resolve => setImmediate(resolve))
  }
  throw new Error(`Not so after ${seconds} s: ${isSo.toString()}`)
}

async function openPair() {
  const { openDevice, openProxy } = await serveDevices()
  const proxy = await openProxy()
  const [a, b] = [await openDevice(), await openDevice(proxy.origin, { random: () => 0.9 })]
  await until(() => b.status.live.mode === 'stream' && b.status.isComplete)
  // Until the pulls of the start are over.
  await until(() => false, 5).catch(() => {})
  return { proxy, a, b }
}

// Seen red with a pace of 90 s while hints come.
it('a lost hint costs one slow poll, and no change', async () => {
  const { proxy, a, b } = await openPair()
  a.table(posts).put({ id: 'told', title: 'x' })
  expect(await until(has(b, 'told'))).toBeLessThan(3)
  proxy.habits.loses = 1
  a.table(posts).put({ id: 'lost', title: 'x' })
  const seconds = await until(has(b, 'lost'))
  expect(seconds).toBeGreaterThan(10)
  expect(seconds).toBeLessThanOrEqual(66)
  expect(proxy.streams).toBe(1)
})

// Seen red with a limit of 40 s on silence.
it('a connection that is dead without a word is noticed within thirty seconds', async () => {
  const { proxy, a, b } = await openPair()
  proxy.habits.isSilent = true
  a.table(posts).put({ id: 'row', title: 'x' })
  expect(await until(has(b, 'row'))).toBeLessThanOrEqual(30)
  expect(b.status.live.mode).toBe('polling')
  proxy.habits.isSilent = false
  await until(() => b.status.live.mode === 'stream', 15)
})
