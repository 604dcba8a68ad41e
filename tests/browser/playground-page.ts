/** The playground as a person uses it: sign in, look at a device, write on it. Chromium is the system's own. */
import { chromium } from 'playwright-core'
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core'

const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export interface Visitor {
  context: BrowserContext
  page: Page
  laptop: DevicePane
  phone: DevicePane
  /** Everything the page complained about: console errors, exceptions. */
  complaints: string[]
}

export interface DevicePane {
  pane: Locator
  at(testId: string): Locator
  addThread(title: string): Promise<void>
  write(text: string): Promise<void>
  edit(from: string, to: string): Promise<void>
  remove(text: string): Promise<void>
  message(text: string): Locator
  setOnline(online: boolean): Promise<void>
}

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium', args: ARGS })
}

/** A new person in a browser of their own, signed in when they have a name. */
export async function visit(browser: Browser, url: string, name?: string): Promise<Visitor> {
  const context = await browser.newContext({ viewport: { width: 1360, height: 1000 } })
  context.setDefaultTimeout(10_000)
  const page = await context.newPage()
  const complaints = listenForComplaints(page)
  await page.goto(url)
  await waitUntilAlive(page)
  if (name) await signIn(page, name)
  return { context, page, complaints, laptop: findDevice(page, 'laptop'), phone: findDevice(page, 'phone') }
}

/** The page has taken over from the server's HTML. A live connection never lets the network rest. */
export async function waitUntilAlive(page: Page): Promise<void> {
  await page.waitForFunction(() => {
    const { useNuxtApp } = window as { useNuxtApp?: () => { isHydrating?: boolean } }
    return useNuxtApp?.().isHydrating === false
  })
}

export async function signIn(page: Page, name: string): Promise<void> {
  await page.getByTestId('sign-in-name').fill(name)
  await page.getByTestId('sign-in-submit').click()
  await page.getByTestId('device-phone').waitFor()
}

export function listenForComplaints(page: Page): string[] {
  const complaints: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('pageerror', error => complaints.push(error.message))
  return complaints
}

/** Nothing left to send on either device, and the same fingerprint on both. */
export async function waitUntilEqual(page: Page): Promise<void> {
  const isSettled = () => {
    const pending = [...document.querySelectorAll('[data-testid="pending"]')].map(figure => figure.textContent?.trim())
    const badge = document.querySelector('[data-testid="equality"][data-state="equal"][aria-busy="false"]')
    return badge !== null && pending.every(count => count === '0')
  }
  await page.waitForFunction(isSettled, undefined, { timeout: 30_000 })
}

function findDevice(page: Page, role: 'laptop' | 'phone'): DevicePane {
  const pane = page.getByTestId(`device-${role}`)
  const at = (testId: string): Locator => pane.getByTestId(testId)
  const message = (text: string): Locator => at('message').filter({ hasText: text })
  return {
    pane,
    at,
    message,
    async addThread(title) {
      await at('thread-title').fill(title)
      await at('add-thread').click()
      await at('thread-heading').filter({ hasText: title }).waitFor()
    },
    async write(text) {
      await at('composer').fill(text)
      await at('send').click()
      await message(text).waitFor()
    },
    async edit(from, to) {
      const row = at('messages').locator(`[data-pk="${await message(from).getAttribute('data-pk')}"]`)
      await row.getByTestId('edit').click()
      await row.getByTestId('edit-field').fill(to)
      await row.getByTestId('edit-save').click()
      await message(to).waitFor()
    },
    async remove(text) {
      await message(text).getByTestId('delete').click()
      await message(text).waitFor({ state: 'detached' })
    },
    async setOnline(online) {
      const current = await at('online').getAttribute('aria-checked')
      if (current !== String(online)) await at('online').click()
    },
  }
}
