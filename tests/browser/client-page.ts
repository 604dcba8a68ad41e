/** A page with nothing but the client's engine in it, and a server of a few lines behind its transport. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'

export interface ClientPages {
  readonly browser: Browser
  readonly url: string
  /** A page of `context` that has opened its store and leads, or follows another that does. */
  open(context: BrowserContext, options?: PageOptions): Promise<Page>
  /** Opens it in an empty page. */
  load(page: Page, options?: PageOptions): Promise<void>
  close(): Promise<void>
}

export interface PageOptions {
  /** How many rows the server has. */
  rows?: number
  isAutomatic?: boolean
}

/** Bundles the engine, serves it on a free port, starts Chromium. */
export async function startClientPages(): Promise<ClientPages> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('client-app.ts', import.meta.url))],
    bundle: true, format: 'esm', target: 'es2022', minify: true, write: false,
  })
  const server = await serve(outputFiles[0]!.text)
  const url = `http://localhost:${(server.address() as AddressInfo).port}/`
  const browser = await chromium.launch({
    executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  })
  const load = async (page: Page, { rows = 0, isAutomatic = false }: PageOptions = {}) => {
    await page.goto(`${url}?rows=${rows}&automatic=${isAutomatic ? 1 : ''}`)
    await page.waitForFunction(() => 'app' in window)
  }
  return {
    browser,
    url,
    load,
    async open(context, options) {
      const page = await context.newPage()
      await load(page, options)
      return page
    },
    async close() {
      await browser.close()
      server.close()
    },
  }
}

async function serve(script: string): Promise<Server> {
  const server = createServer((request, response) => {
    const isScript = request.url === '/app.js'
    const html = '<!doctype html><title>client</title><script type="module" src="/app.js"></script>'
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html')
    response.end(isScript ? script : html)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return server
}
