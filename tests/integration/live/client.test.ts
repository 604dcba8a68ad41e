/** The client's live connection: a stream, waiting pulls behind it, polling behind those. Promise P11. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { has, percentile, posts, serveDevices, until } from './devices.ts'

it('shows another device\'s edit at once, and polls no more', async () => {
  const { openDevice, openProxy } = await serveDevices()
  const proxy = await openProxy()
  const [a, b] = [await openDevice(), await openDevice(proxy.origin)]
  await until(() => b.status.live.mode === 'stream')
  const took: number[] = []
  for (let count = 0; count < 15; count++) {
    await sleep(20)
    a.table(posts).put({ id: `row-${count}`, title: 'x' })
    took.push(await until(has(b, `row-${count}`)))
  }
  // Polling takes a second; what live takes is `npm run bench:live`'s to say.
  expect(percentile(took, 0.5)).toBeLessThan(500)
  const before = proxy.requests
  await sleep(2_500)
  expect(proxy.requests).toBe(before)
  expect(b.status.live).toEqual({ mode: 'stream', reason: 'connected' })
})

it('falls back to waiting pulls where a proxy keeps streams back, and stays there in a burst of writes', async () => {
  const { openDevice, openProxy } = await serveDevices()
  const proxy = await openProxy({ buffers: true })
  const [a, b] = [await openDevice(), await openDevice(proxy.origin)]
  expect(await until(() => b.status.live.mode === 'long-poll', 6_000)).toBeLessThan(5_000)
  for (let count = 0; count < 15; count++) {
    a.table(posts).put({ id: `row-${count}`, title: 'x' })
    await until(has(b, `row-${count}`), 2_000)
  }
  expect(b.status.live.mode).toBe('long-poll')
})

it('polls where the server has no live route, and where it does not wait', async () => {
  const { openDevice, openProxy } = await serveDevices()
  const proxy = await openProxy()
  const b = await openDevice(proxy.origin, { isLive: false })
  expect(b.status.live).toEqual({ mode: 'off', reason: 'not started' })
  expect(proxy.streams).toBe(0)
})

it('finds a lost hint by the next stream', async () => {
  const { openDevice, openProxy } = await serveDevices()
  const proxy = await openProxy({ loses: 1 })
  const [a, b] = [await openDevice(), await openDevice(proxy.origin)]
  await until(() => b.status.live.mode === 'stream' && b.status.isComplete)
  // Until the first pulls are over.
  await sleep(1_000)
  a.table(posts).put({ id: 'row', title: 'x' })
  await until(() => a.status.pending === 0)
  await sleep(300)
  expect(has(b, 'row')()).toBe(false)
  proxy.cut()
  await until(has(b, 'row'), 5_000)
  await until(() => b.status.live.mode === 'stream', 12_000)
})

it('lets go when it is switched off, and comes back when it is switched on', async () => {
  const { openDevice, openProxy } = await serveDevices()
  const proxy = await openProxy()
  const b = await openDevice(proxy.origin)
  await until(() => b.status.live.mode === 'stream')
  b.setOnline(false)
  expect(b.status.live).toEqual({ mode: 'off', reason: 'switched off' })
  await until(() => proxy.openStreams === 0)
  b.setOnline(true)
  await until(() => b.status.live.mode === 'stream')
  expect(proxy.streams).toBe(2)
  await b.close()
  await until(() => proxy.openStreams === 0)
})
