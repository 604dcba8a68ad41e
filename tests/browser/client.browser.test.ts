/** The engine in a real Chromium: starts from disk, tabs that die, a store deleted under a page. Upholds P12. */
import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { scaled, timeoutMs } from '../property/scale.ts'
import { type ClientPages, startClientPages } from './client-page.ts'

let pages: ClientPages

beforeAll(async () => {
  pages = await startClientPages()
})
afterAll(() => pages.close())

/** A browser of its own. */
async function openContext(): Promise<BrowserContext> {
  const context = await pages.browser.newContext()
  onTestFinished(() => context.close())
  return context
}

it('shows 20,000 rows from disk', async () => {
  const context = await openContext()
  const first = await pages.open(context, { rows: 20_000 })
  await first.waitForFunction(() => window.app.store.status.isLeader)
  expect(await first.evaluate(() => window.app.store.sync())).toMatchObject({ ok: true, snapshot: true })
  await first.close()
  const second = await pages.open(context, { rows: 20_000 })
  const { length, startMs } = await second.evaluate(() => (
    { length: window.app.rows.length, startMs: window.app.startMs }
  ))
  expect(length).toBe(20_000)
  console.log(`20,000 rows from disk: ${Math.round(startMs)} ms`)
})

it('loses nothing that was saved when the tab is killed, and writes nothing twice', { timeout: timeoutMs(300) }, async () => {
  const context = await openContext()
  const kills = scaled(100)
  let next = context.newPage()
  for (let round = 0; round < kills; round++) {
    const page = await next
    await pages.load(page)
    expect(await page.evaluate(at => window.app.put(`w${at}`, 'saved'), round)).toBe(true)
    // An empty page takes as long as the rest of a round: the next one comes up meanwhile.
    next = context.newPage()
    await kill(page)
  }
  const last = await next
  await pages.load(last)
  await last.waitForFunction(() => window.app.store.status.isLeader)
  const { rows, report } = await last.evaluate(async () => (
    { report: await window.app.store.sync(), rows: window.app.rows.map(({ id }) => id) }
  ))
  expect(rows.toSorted()).toEqual(Array.from({ length: kills }, (_, at) => `w${at}`).toSorted())
  expect(report).toMatchObject({ ok: true, pushed: kills })
})

/** The tab's process dies, with none of its goodbyes. */
async function kill(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page)
  const crashed = page.waitForEvent('crash')
  // It has no answer.
  session.send('Page.crash').catch(() => {})
  await crashed
  await page.close()
}

it('boots 200 times in two tabs at once: one of them leads within a second, and both have all rows', { timeout: timeoutMs(240) }, async () => {
  const context = await openContext()
  const tabs = await Promise.all([pages.open(context), pages.open(context)])
  let slowestMs = 0
  for (let round = 0; round < 200; round++) {
    await Promise.all(tabs.map(tab => tab.reload({ waitUntil: 'commit' })))
    await Promise.all(tabs.map(tab => tab.waitForFunction(() => 'app' in window, undefined, { timeout: 5_000 })))
    const openedAt = performance.now()
    const countLeading = async () => {
      const leading = await Promise.all(tabs.map(tab => tab.evaluate(() => window.app.store.status.isLeader)))
      return leading.filter(Boolean).length
    }
    while (await countLeading() !== 1) expect(performance.now() - openedAt).toBeLessThan(1_000)
    slowestMs = Math.max(slowestMs, performance.now() - openedAt)
    await Promise.all(tabs.map((tab, at) => tab.evaluate(id => window.app.put(id, 'saved'), `w${round}-${at}`)))
    for (const tab of tabs) await tab.waitForFunction(count => window.app.rows.length === count, 2 * (round + 1))
  }
  console.log(`The slowest of 200 boots: one tab leads after ${Math.round(slowestMs)} ms`)
})

it('has another tab lead within a second when the leading one dies, and both share their writes', async () => {
  const context = await openContext()
  const first = await pages.open(context, { isAutomatic: true })
  await first.waitForFunction(() => window.app.store.status.isLeader)
  const second = await pages.open(context, { isAutomatic: true })
  expect(await second.evaluate(() => window.app.store.status.isLeader)).toBe(false)
  await second.evaluate(() => window.app.put('w1', 'from the second'))
  await first.waitForFunction(() => window.app.rows.length === 1)
  await kill(first)
  await second.waitForFunction(() => window.app.store.status.isLeader, undefined, { timeout: 1_000 })
})

it('goes on in memory when the store is deleted under the page, and says so', async () => {
  const context = await openContext()
  const page = await pages.open(context)
  expect(await page.evaluate(() => window.app.put('w1', 'saved'))).toBe(true)
  await page.evaluate(async () => {
    for (const { name } of await indexedDB.databases()) indexedDB.deleteDatabase(name!)
  })
  await page.waitForFunction(() => !window.app.store.status.isDurable)
  const after = await page.evaluate(async () => (
    { saved: await window.app.put('w2', 'later'), status: window.app.store.status, rows: window.app.rows.length }
  ))
  expect(after).toMatchObject({ saved: false, status: { storageProblem: 'deleted', pending: 2 }, rows: 2 })
})

/** What a private window, a policy of the company or a page without HTTPS may take away. Run in the page. */
const deprivations = {
  absent: () => {
    Object.defineProperty(globalThis, 'indexedDB', { value: undefined })
    Object.defineProperty(navigator, 'locks', { value: undefined })
  },
  timeout: () => void (IDBOpenDBRequest.prototype.addEventListener = () => {}),
  failed: () => {
    IDBFactory.prototype.open = () => {
      throw new DOMException('The operation is insecure.', 'SecurityError')
    }
  },
}

it.each(Object.entries(deprivations))('works in a window without storage (%s), and says so', async (problem, deprive) => {
  const context = await openContext()
  await context.addInitScript(deprive)
  const page = await pages.open(context, { rows: 100 })
  await page.waitForFunction(() => window.app.store.status.isLeader)
  const after = await page.evaluate(async () => ({
    saved: await window.app.put('w1', 'in memory'),
    report: await window.app.store.sync(),
    status: window.app.store.status,
    rows: window.app.rows.length,
  }))
  expect(after).toMatchObject({
    saved: false, report: { ok: true, pushed: 1 }, status: { isDurable: false, storageProblem: problem }, rows: 101,
  })
})
