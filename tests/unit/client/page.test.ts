/** What a live connection is told of its page, on a clock that the test holds. Promise P11. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createPage } from '../../../client/live/page.ts'

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }))
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

function setUp() {
  const document = Object.assign(new EventTarget(), { visibilityState: 'visible' })
  const window = new EventTarget()
  vi.stubGlobal('document', document)
  vi.stubGlobal('window', window)
  const told: string[] = []
  const stop = createPage().watch({
    onShow: () => told.push('show'), onHide: () => told.push('hide'), onOnline: () => told.push('online'),
  })
  const look = (visibilityState: string) => {
    document.visibilityState = visibilityState
    document.dispatchEvent(new Event('visibilitychange'))
  }
  return { told, stop, look, window }
}

it('tells of being hidden and shown, of the network, and of the back/forward cache', () => {
  const { told, stop, look, window } = setUp()
  look('hidden')
  look('visible')
  window.dispatchEvent(new Event('online'))
  window.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: false }))
  window.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: true }))
  expect(told).toEqual(['hide', 'show', 'online', 'online'])
  stop()
  look('hidden')
  window.dispatchEvent(new Event('online'))
  expect(told).toHaveLength(4)
})

// Seen red without the timer of `watch`.
it('takes a timer that is much too late for a machine that slept, and a throttled one for none', () => {
  const { told, look } = setUp()
  const sleep = (ms: number) => {
    vi.setSystemTime(Date.now() + ms)
    vi.advanceTimersByTime(5_000)
  }
  vi.advanceTimersByTime(60_000)
  sleep(10_000)
  expect(told).toEqual([])
  sleep(16_000)
  expect(told).toEqual(['show'])
  look('hidden')
  // A hidden page's timers come once a minute.
  sleep(60_000)
  expect(told).toEqual(['show', 'hide'])
  sleep(100_000)
  expect(told).toEqual(['show', 'hide', 'show'])
})

it('is never hidden in a worker or on a server', () => {
  expect(createPage().isHidden).toBe(false)
})
