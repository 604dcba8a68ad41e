/** The to-do app of `tests/fixtures/app-todo` as its users have it: signed in by name, with or without a network. */
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core'
import { listenForComplaints, waitUntilAlive } from './playground-page.ts'

export interface TodoTab {
  page: Page
  /** What the page said of itself: console errors and warnings, exceptions. */
  complaints: string[]
  add(text: string): Promise<void>
  row(text: string): Locator
}

/** A browser of its own, signed in as `name`. */
export async function openBrowser(browser: Browser, url: string, name: string): Promise<BrowserContext> {
  const context = await browser.newContext()
  context.setDefaultTimeout(15_000)
  await signIn(context, url, name)
  return context
}

export async function signIn(context: BrowserContext, url: string, name: string): Promise<void> {
  await context.addCookies([{ name: 'name', value: name, url }])
}

/** A tab with the app, once it can be written in. */
export async function openTab(context: BrowserContext, url: string): Promise<TodoTab> {
  const page = await context.newPage()
  const complaints = listenForComplaints(page)
  await page.goto(url)
  await waitUntilAlive(page)
  return {
    page,
    complaints,
    async add(text) {
      await page.getByPlaceholder('What is to be done?').fill(text)
      await page.getByRole('button', { name: 'Add' }).click()
      await page.locator('li', { hasText: text }).waitFor()
    },
    row: text => page.locator('li', { hasText: text }),
  }
}

/**
 * Cuts the network, with what a service worker would have kept: `shell`, and the app's own files. Answers with the way
 * back.
 */
export async function cutNetwork(context: BrowserContext, url: string, shell: string): Promise<() => Promise<void>> {
  const home = new URL('/', url).href
  await context.route('**/*', async (route) => {
    const address = route.request().url()
    if (address === home) return route.fulfill({ contentType: 'text/html', body: shell })
    if (!new URL(address).pathname.startsWith('/_nuxt/')) return route.abort('internetdisconnected')
    const file = await fetch(address)
    return route.fulfill({ contentType: file.headers.get('content-type') ?? '', body: Buffer.from(await file.arrayBuffer()) })
  })
  return () => context.unrouteAll()
}
