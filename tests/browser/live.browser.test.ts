/**
 * Two devices in a real Chromium with the real client, on the built server: what one writes the other shows at once, also
 * through a proxy, and through one that keeps streams back. Promise P11.
 */
import { randomUUID } from 'node:crypto'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { type ProxyHabits, startProxy } from '../helpers/proxy.ts'
import { visit } from './playground-page.ts'
import { type LivePages, startLivePages, waitForMode, waitForRow } from './live-page.ts'
import { type PlaygroundServer, startPlayground } from './playground-server.ts'

/** Polling takes a second; how long live takes on a quiet machine is `npm run bench:live`'s to say. */
const atOnceMs = 500

let server: PlaygroundServer
let pages: LivePages

beforeAll(async () => {
  server = await startPlayground()
  pages = await startLivePages(server.url, `Ada ${randomUUID().slice(0, 8)}`)
})
afterAll(async () => {
  await pages?.close()
  await server?.stop()
})

async function open(origin: string): Promise<Page> {
  const page = await pages.open(origin)
  onTestFinished(() => page.context().close())
  return page
}

async function openProxied(habits: ProxyHabits) {
  const proxy = await startProxy(server.url, habits)
  onTestFinished(proxy.close)
  return { proxy, page: await open(proxy.origin) }
}

/** How long each of some edits took from one device's write to the other's list, in milliseconds, shortest first. */
async function measure(writer: Page, reader: Page, edits = 10): Promise<number[]> {
  const took: number[] = []
  for (let count = 0; count < edits; count++) {
    const id = randomUUID()
    const writtenAt = await writer.evaluate((one) => {
      window.live.put(one)
      return performance.timeOrigin + performance.now()
    }, id)
    took.push(await waitForRow(reader, id) - writtenAt)
  }
  return took.sort((a, b) => a - b)
}

it('shows an edit on the other device with no visible delay, both ways', async () => {
  const [a, b] = [await open(server.url), await open(server.url)]
  await Promise.all([waitForMode(a, 'stream'), waitForMode(b, 'stream')])
  for (const took of [await measure(a, b), await measure(b, a)]) expect(took[5]).toBeLessThan(atOnceMs)
})

it('does so through a proxy', async () => {
  const { page, proxy } = await openProxied({})
  const other = await open(server.url)
  await Promise.all([waitForMode(page, 'stream'), waitForMode(other, 'stream')])
  expect((await measure(other, page))[5]).toBeLessThan(atOnceMs)
  expect((await measure(page, other))[5]).toBeLessThan(atOnceMs)
  expect(proxy.openStreams).toBe(1)
})

it('waits with pulls within five seconds where a proxy keeps streams back', async () => {
  const { page } = await openProxied({ buffers: true })
  await waitForMode(page, 'long-poll', 5_000)
  const other = await open(server.url)
  await waitForMode(other, 'stream')
  const took = await measure(other, page, 20)
  console.log(`waiting pulls: ${took.map(Math.round).join(' ')} ms`)
  expect(took[10]).toBeLessThan(300)
  expect(await page.evaluate(() => window.live.mode())).toBe('long-poll')
})

// Seen red without Web Locks: each tab had a stream, and the seventh page could not even load.
it('has one stream for ten tabs, which all show an edit at once; another one leads when the first is closed', async () => {
  const { proxy, page } = await openProxied({})
  const tabs = [page]
  while (tabs.length < 10) tabs.push(await pages.open(proxy.origin, page.context()))
  await Promise.all(tabs.map(tab => waitForMode(tab, 'stream')))
  expect(proxy.openStreams).toBe(1)
  const other = await open(server.url)
  await waitForMode(other, 'stream')
  const lags: number[] = []
  for (let count = 0; count < 10; count++) {
    const id = randomUUID()
    await other.evaluate(one => window.live.put(one), id)
    const shown = await Promise.all(tabs.map(tab => waitForRow(tab, id)))
    lags.push(Math.max(...shown) - shown[0]!)
  }
  console.log(`the last of ten tabs after the first: ${lags.sort((a, b) => a - b).map(Math.round).join(' ')} ms`)
  expect(lags[2]).toBeLessThan(50)

  const [first, ...rest] = tabs
  await first!.close()
  await expect.poll(() => proxy.streams).toBe(2)
  await expect.poll(() => proxy.openStreams).toBe(1)
  await Promise.all(rest.map(tab => waitForMode(tab, 'stream')))
  expect((await measure(other, rest[8]!))[5]).toBeLessThan(atOnceMs)
})

it('catches up within a second after the network is back', async () => {
  const [a, b] = [await open(server.url), await open(server.url)]
  await Promise.all([waitForMode(a, 'stream'), waitForMode(b, 'stream')])
  // The open stream may go on for a while; no request gets through.
  await b.context().setOffline(true)
  const id = randomUUID()
  await a.evaluate(one => window.live.put(one), id)
  // Long enough for some tries that fail, each of which makes it wait longer.
  await new Promise(resolve => setTimeout(resolve, 6_000))
  expect(await b.evaluate(one => window.live.shownAt(one), id)).toBeUndefined()
  const backAt = performance.timeOrigin + performance.now()
  await b.context().setOffline(false)
  expect(await waitForRow(b, id) - backAt).toBeLessThan(1_000)
  await waitForMode(b, 'stream')
})

it('comes back to a server that was killed, with all that was written meanwhile', async () => {
  const [a, b] = [await open(server.url), await open(server.url)]
  await Promise.all([waitForMode(a, 'stream'), waitForMode(b, 'stream')])
  await server.kill()
  await waitForMode(b, 'polling')
  const id = randomUUID()
  await a.evaluate(one => window.live.put(one), id)
  await server.restart()
  await waitForRow(b, id, 30_000)
  await Promise.all([waitForMode(a, 'stream', 30_000), waitForMode(b, 'stream', 30_000)])
  expect((await measure(a, b))[5]).toBeLessThan(atOnceMs)
})

it.each(['directly', 'through a proxy'])('the playground says "live", and shows the edit of another browser: %s', async (way) => {
  const proxy = await startProxy(server.url)
  onTestFinished(proxy.close)
  const name = `Eve ${randomUUID().slice(0, 8)}`
  const here = await visit(pages.browser, server.url, name)
  const there = await visit(pages.browser, way === 'directly' ? server.url : proxy.origin, name)
  onTestFinished(async () => {
    await here.context.close()
    await there.context.close()
  })
  for (const device of [here.laptop, there.laptop, there.phone]) {
    await device.at('live').filter({ hasText: 'live' }).waitFor()
  }
  await here.laptop.addThread('Plans')
  const writtenAt = performance.now()
  // The page may hide a pane of a narrow device: the row in the document is what counts here.
  for (const device of [there.laptop, there.phone]) {
    await device.at('thread').getByText('Plans').waitFor({ state: 'attached' })
  }
  expect(performance.now() - writtenAt).toBeLessThan(1_000)
  expect([...here.complaints, ...there.complaints]).toEqual([])
})
