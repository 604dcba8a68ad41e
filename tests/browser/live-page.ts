/** Pages in Chromium with the real client and nothing else, on the origin of a built playground or of a proxy before it. */
import { fileURLToPath } from 'node:url'
import process from 'node:process'
import { build } from 'esbuild'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'

export interface LivePages {
  readonly browser: Browser
  readonly workspaceId: string
  /** A browser of its own, signed in. */
  createContext(): Promise<BrowserContext>
  /** A tab of `context`; without one, of a browser of its own. */
  open(origin: string, context?: BrowserContext): Promise<Page>
  close(): Promise<void>
}

/** Bundles the client, starts Chromium, signs `user` in at the server of `url`. */
export async function startLivePages(url: string, user: string): Promise<LivePages> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('live-app.ts', import.meta.url))],
    bundle: true, format: 'esm', target: 'es2022', minify: true, write: false,
  })
  const headers = { 'x-demo-user': user }
  const answer = await fetch(`${url}/api/auth/session`, { headers })
  const { session } = await answer.json() as { session: { user: { id: string }, workspace: { id: string } } }
  const browser: Browser = await chromium.launch({
    executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  })
  const createContext = () => browser.newContext({ extraHTTPHeaders: headers })
  return {
    browser,
    workspaceId: session.workspace.id,
    createContext,
    async open(origin, context) {
      context ??= await createContext()
      const page = await context.newPage()
      // Of the server's own origin, and nobody's app.
      await page.goto(`${origin}/api/health#user=${session.user.id}&workspace=${session.workspace.id}`)
      await page.addScriptTag({ content: outputFiles[0]!.text, type: 'module' })
      await page.waitForFunction(() => 'live' in window)
      return page
    },
    close: () => browser.close(),
  }
}

/** Resolves when the page hears of changes in this way. */
export async function waitForMode(page: Page, mode: string, timeout = 10_000): Promise<void> {
  await page.waitForFunction(wanted => window.live.mode() === wanted, mode, { timeout })
}

/** When the row came into the page's list, in epoch milliseconds. */
export async function waitForRow(page: Page, id: string, timeout = 10_000): Promise<number> {
  const handle = await page.waitForFunction(one => window.live.shownAt(one), id, { timeout, polling: 5 })
  return await handle.jsonValue() as number
}
