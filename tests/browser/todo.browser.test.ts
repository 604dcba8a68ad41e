/**
 * A stranger's app with the packed layer in its node_modules, built and moved, in a real Chromium: rows in the server's
 * HTML, two browsers in step, a reload without a network, a write that is refused, two tabs, two users. Upholds P12.
 */
import { randomUUID } from 'node:crypto'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { buildFixture, testedTodo } from '../e2e/builds.ts'
import { useBuiltServer } from '../e2e/use-built-server.ts'
import { timeoutMs } from '../property/scale.ts'
import { launchBrowser } from './playground-page.ts'
import { cutNetwork, openBrowser, openTab, signIn, type TodoTab } from './todo-page.ts'

const built = useBuiltServer(() => buildFixture(testedTodo))
let browser: Browser

beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser.close())

const createUser = () => `ada-${randomUUID().slice(0, 8)}`
const home = () => new URL('/', built.server.url).href

async function arrive(name: string) {
  const context = await openBrowser(browser, home(), name)
  onTestFinished(() => context.close())
  return context
}

async function readHtml(name: string): Promise<string> {
  return (await built.server.fetch('/', { headers: { cookie: `name=${name}` } })).text()
}

/** Nothing waits for the server. */
const waitUntilSent = ({ page }: TodoTab) => page.getByText('0 waiting').waitFor()

it('has the rows in the server\'s HTML, for their user only, and hydrates them without a warning', async () => {
  const user = createUser()
  const context = await arrive(user)
  const first = await openTab(context, home())
  await first.add('Buy milk')
  await waitUntilSent(first)
  expect(await readHtml(user)).toContain('Buy milk')
  expect(await readHtml(createUser())).not.toContain('Buy milk')
  const second = await openTab(context, home())
  await second.row('Buy milk').waitFor()
  expect(await second.row('Buy milk').count()).toBe(1)
  expect([...first.complaints, ...second.complaints]).toEqual([])
})

it('would tell of a page that hydrates other rows than the server sent', async () => {
  const user = createUser()
  const context = await arrive(user)
  const first = await openTab(context, home())
  await first.add('Buy milk')
  await waitUntilSent(first)
  const html = (await readHtml(user)).replace('> Buy milk<', '> Buy beer<').replace('</li>', '</li><li>One more</li>')
  await context.route(home(), route => route.fulfill({ contentType: 'text/html', body: html }))
  const second = await openTab(context, home())
  expect(second.complaints.join()).toMatch(/hydration/i)
})

it('keeps two browsers in step', async () => {
  const user = createUser()
  const [first, second] = [await openTab(await arrive(user), home()), await openTab(await arrive(user), home())]
  await first.add('Buy milk')
  await second.row('Buy milk').waitFor()
  await second.row('Buy milk').getByRole('checkbox').check()
  await first.page.locator('li input:checked').waitFor()
  await first.row('Buy milk').getByRole('button', { name: 'Remove' }).click()
  await second.row('Buy milk').waitFor({ state: 'detached' })
  expect([...first.complaints, ...second.complaints]).toEqual([])
})

it('shows its rows after a reload without a network, and sends what was written meanwhile', async () => {
  const user = createUser()
  const context = await arrive(user)
  const shell = await readHtml(user)
  expect(shell).not.toContain('Buy milk')
  const tab = await openTab(context, home())
  await tab.add('Buy milk')
  await waitUntilSent(tab)
  await tab.page.close()

  const reconnect = await cutNetwork(context, home(), shell)
  const offline = await openTab(context, home())
  await offline.row('Buy milk').waitFor()
  await offline.add('Buy bread')
  await offline.page.getByText('1 waiting').waitFor()
  await offline.page.reload()
  await offline.row('Buy bread').waitFor()

  const other = await openTab(await arrive(user), home())
  await other.row('Buy milk').waitFor()
  expect(await other.row('Buy bread').count()).toBe(0)
  await reconnect()
  await other.row('Buy bread').waitFor()
  await waitUntilSent(offline)
  expect(other.complaints).toEqual([])
})

// Seen red with a worker that does not keep the shell.
it('opens without a network by the service worker of docs/browser.md', async () => {
  const context = await arrive(createUser())
  const tab = await openTab(context, home())
  await tab.add('Buy milk')
  await waitUntilSent(tab)
  await tab.page.evaluate(async () => {
    await navigator.serviceWorker.register('/sw.js')
    await navigator.serviceWorker.ready
  })
  await context.setOffline(true)
  await tab.page.reload()
  await tab.row('Buy milk').waitFor()
  await tab.add('Buy bread')
  await tab.page.getByText('1 waiting').waitFor()
  await tab.page.reload()
  await tab.row('Buy bread').waitFor()
  await context.setOffline(false)
  await waitUntilSent(tab)
})

it('shows a refused write with its reason, until the user gives it up', async () => {
  const user = createUser()
  const [first, second] = [await openTab(await arrive(user), home()), await openTab(await arrive(user), home())]
  await first.add('Buy forbidden fruit')
  const alert = first.page.getByRole('alert')
  await alert.getByText('Buy forbidden fruit: ').waitFor()
  expect(await alert.textContent()).toContain('This word is not allowed here.')
  await first.row('Buy forbidden fruit').waitFor({ state: 'detached' })
  await first.add('Buy fruit')
  await second.row('Buy fruit').waitFor()
  expect(await second.page.locator('li').count()).toBe(1)
  await first.page.reload()
  await alert.getByRole('button', { name: 'Discard' }).click()
  await alert.waitFor({ state: 'detached' })
})

it('shows another user on the same browser nothing of the first', async () => {
  const context = await arrive(createUser())
  const first = await openTab(context, home())
  await first.add('Buy milk')
  await waitUntilSent(first)
  await first.page.close()
  await signIn(context, home(), createUser())
  const second = await openTab(context, home())
  await second.add('Write a book')
  await waitUntilSent(second)
  expect(await second.page.locator('li').allTextContents()).toEqual([expect.stringContaining('Write a book')])
  expect(second.complaints).toEqual([])
})

it('goes on in the second tab when the leading one is closed', async () => {
  const user = createUser()
  const context = await arrive(user)
  const [first, second] = [await openTab(context, home()), await openTab(context, home())]
  const other = await openTab(await arrive(user), home())
  await first.add('Buy milk')
  await second.row('Buy milk').waitFor()
  await first.page.close()
  await second.add('Buy bread')
  await other.row('Buy bread').waitFor()
  await other.add('Buy salt')
  await second.row('Buy salt').waitFor()
  expect([...second.complaints, ...other.complaints]).toEqual([])
})

it('renders 1,000 pages, the rows in each, and leaves nothing open on the server', { timeout: timeoutMs(120) }, async () => {
  const user = createUser()
  const tab = await openTab(await arrive(user), home())
  await tab.add('Buy milk')
  await waitUntilSent(tab)
  await tab.page.context().close()
  // Connections come and go with the requests of this test.
  const countOpen = async () => {
    const names = await (await built.server.fetch('/open-handles')).json() as string[]
    return names.filter(name => !/TCP|Immediate|TickObject/.test(name)).length
  }
  const render = async (count: number) => {
    for (let at = 0; at < count; at += 10) {
      const pages = await Promise.all(Array.from({ length: 10 }, () => readHtml(user)))
      expect(pages.every(html => html.includes('Buy milk'))).toBe(true)
    }
  }
  await render(50)
  const before = await countOpen()
  await render(1_000)
  await expect.poll(countOpen, { timeout: 10_000 }).toBeLessThanOrEqual(before + 5)
})
